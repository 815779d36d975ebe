package api

import (
	"context"
	"fmt"
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/release"
	"github.com/fairlead/fairlead/rollout"
)

// maxFiles is the most files, of those that a release does not name, in a list.
const maxFiles = 200

// releaseInput names a release. Its number is a text, so that what is no number is
// refused in words.
type releaseInput struct {
	App    string `path:"app"`
	Number string `path:"number" doc:"of the release, from 1"`
}

func (in releaseInput) number() (int, error) { return numbered(in.Number, 1) }

// numbered reads a release's number of at least least.
func numbered(text string, least int) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > 999_999 {
		return 0, fairlead.Errorf(fairlead.Invalid, "find release", "%.40q is not the number of a release", text).
			WithHint("releases count from 1, as in triage@1")
	}
	return n, nil
}

func (s *server) registerDifferences(api huma.API) {
	const path = "/v1/apps/{app}/releases/{number}"
	register(api, http.MethodGet, path, "getRelease", "A release, and how it came to each environment",
		func(ctx context.Context, in *releaseInput) (client.Release, error) { return s.wholeRelease(ctx, *in) })
	register(api, http.MethodGet, path+"/files", "listReleaseFiles", "What a release's artifact holds",
		func(ctx context.Context, in *releaseInput) (client.ReleaseFiles, error) {
			return s.releaseFiles(ctx, *in)
		})
	register(api, http.MethodGet, path+"/file", "getReleaseFile", "A file of a release, with its text",
		func(ctx context.Context, in *struct {
			App    string `path:"app"`
			Number string `path:"number"`
			Path   string `query:"path" required:"true" doc:"of the file, in the artifact"`
		}) (client.ReleaseFile, error) {
			return s.releaseFile(ctx, releaseInput{in.App, in.Number}, in.Path)
		})
	register(api, http.MethodGet, path+"/difference", "difference", "What a release has that another has not",
		func(ctx context.Context, in *struct {
			App    string `path:"app"`
			Number string `path:"number"`
			From   string `query:"from" doc:"number of the other release, 0 for none; default the one that was live before it, or else the one with the number before"`
		}) (client.Difference, error) {
			return s.difference(ctx, releaseInput{in.App, in.Number}, in.From)
		})
}

// wholeRelease is a release with what the list of all leaves out.
func (s *server) wholeRelease(ctx context.Context, in releaseInput) (client.Release, error) {
	number, err := in.number()
	if err != nil {
		return client.Release{}, err
	}
	r, err := s.Releases.Get(ctx, in.App, number)
	if err != nil {
		return client.Release{}, err
	}
	view, err := s.viewRelease(ctx, r)
	view.Policy = r.Policy
	return view, err
}

func (s *server) took(ctx context.Context, r rollout.Rollout) client.Took {
	t := client.Took{
		ID: r.ID, Env: r.Site.Env, From: r.From, Back: r.Kind == rollout.Back, Outcome: client.Outcome(r.Outcome),
		Phase: string(r.Phase), Held: r.Held, Began: r.Began, Decided: r.Decided,
		Step: r.Step, Weights: r.Weights, Weight: r.Weight,
	}
	if because, ok := r.Because(); ok {
		t.Reason = s.told(ctx, because)
	}
	return t
}

func (s *server) releaseFiles(ctx context.Context, in releaseInput) (client.ReleaseFiles, error) {
	number, err := in.number()
	if err != nil {
		return client.ReleaseFiles{}, err
	}
	l, err := s.Contents.List(ctx, in.App, number, maxFiles)
	if err != nil {
		return client.ReleaseFiles{}, err
	}
	view := client.ReleaseFiles{Count: l.Count, Bytes: l.Bytes, Files: []client.ReleaseFile{}, More: l.Count - len(l.Files)}
	for _, f := range l.Files {
		view.Files = append(view.Files, viewFile(f))
	}
	return view, nil
}

func (s *server) releaseFile(ctx context.Context, in releaseInput, path string) (client.ReleaseFile, error) {
	number, err := in.number()
	if err != nil {
		return client.ReleaseFile{}, err
	}
	f, text, why, err := s.Contents.Text(ctx, in.App, number, path)
	if err != nil {
		return client.ReleaseFile{}, err
	}
	view := viewFile(f)
	view.Text, view.NoText = text, why
	return view, nil
}

func viewFile(f release.Listed) client.ReleaseFile {
	return client.ReleaseFile{Path: f.Path, Kinds: f.Kinds, Executable: f.Executable, Bytes: f.Bytes, Digest: f.Digest, Link: f.Link}
}

func (s *server) difference(ctx context.Context, in releaseInput, other string) (client.Difference, error) {
	number, err := in.number()
	if err != nil {
		return client.Difference{}, err
	}
	from, why := 0, ""
	if other != "" {
		from, err = numbered(other, 0)
	} else {
		from, why, err = s.before(ctx, in.App, number)
	}
	if err != nil {
		return client.Difference{}, err
	}
	d, err := s.Contents.Difference(ctx, in.App, from, number)
	if err != nil {
		return client.Difference{}, err
	}
	return viewDifference(d, why), nil
}

// before returns the release to which a release is compared by default, and why.
func (s *server) before(ctx context.Context, app string, number int) (int, string, error) {
	r, err := s.Releases.Get(ctx, app, number)
	if err != nil {
		return 0, "", err
	}
	history, err := s.Engine.History(ctx, app, number)
	if err != nil {
		return 0, "", err
	}
	var order []string
	for _, env := range r.Policy {
		order = append(order, env.Name)
	}
	if from, env := rollout.Before(history, order); from > 0 {
		return from, fmt.Sprintf("it was live in %s when %s came there", env, r.Name()), nil
	}
	if number > 1 {
		return number - 1, "it is the release with the number before", nil
	}
	return 0, "it is the first release", nil
}

func viewDifference(d release.Difference, why string) client.Difference {
	view := client.Difference{App: d.App, From: d.From, Why: why, To: d.To}
	for _, p := range d.Parts {
		part := client.PartChange{Part: p.Part, Change: p.Change, More: p.More}
		for _, f := range p.Files {
			part.Files = append(part.Files, client.FileChange(f))
		}
		for _, v := range p.Values {
			part.Values = append(part.Values, client.ValueChange(v))
		}
		view.Parts = append(view.Parts, part)
	}
	return view
}
