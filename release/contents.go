package release

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/fairlead/fairlead"
)

// Contents reads what releases hold, and keeps the newest few results. All exported fields
// are required. It is safe for concurrent use, and must not be copied.
type Contents struct {
	Get  func(ctx context.Context, app string, number int) (fairlead.Release, error)
	Tree func(ctx context.Context, tree fairlead.Digest) ([]File, error) // sorted by path
	Open func(digest fairlead.Digest) (io.ReadCloser, error)             // verifies what is read to its end

	differences memory[Difference]
	listings    memory[Listing]
}

// Difference returns what release to of an app has that from has not; from 0 is nothing.
// The caller must not change what is in it.
func (c *Contents) Difference(ctx context.Context, app string, from, to int) (Difference, error) {
	op := "compare releases of " + app
	if from == to {
		return Difference{}, fairlead.Errorf(fairlead.Invalid, op, "release %d was to be compared with itself", to).
			WithHint("name another one as from, or 0 for all that it holds")
	}
	if from < 0 || to < 1 {
		return Difference{}, fairlead.Errorf(fairlead.Invalid, op, "%d is no release", min(from, to)).
			WithHint("releases count from 1; from 0 stands for none")
	}
	after, err := c.Get(ctx, app, to)
	if err != nil {
		return Difference{}, err
	}
	var before fairlead.Release
	if from > 0 {
		if before, err = c.Get(ctx, app, from); err != nil {
			return Difference{}, err
		}
	}
	// A release's policy can change: it is no part of its digest.
	key, err := json.Marshal([2]fairlead.Release{before, after})
	if err != nil {
		return Difference{}, fmt.Errorf("%s: %w", op, err)
	}
	return c.differences.of(string(fairlead.DigestOf(key)), func() (Difference, error) { return c.compare(ctx, before, after) })
}

func (c *Contents) compare(ctx context.Context, before, after fairlead.Release) (Difference, error) {
	was, err := c.side(ctx, before)
	if err != nil {
		return Difference{}, err
	}
	is, err := c.side(ctx, after)
	if err != nil {
		return Difference{}, err
	}
	d := Compare(was, is)
	return d, Texts(ctx, &d, c.read)
}

// side reads the files of a release; release 0 has none.
func (c *Contents) side(ctx context.Context, r fairlead.Release) (Side, error) {
	if r.Number == 0 {
		return Side{}, nil
	}
	files, err := c.Tree(ctx, r.Content.Artifact)
	return Side{Release: r, Files: files}, err
}

func (c *Contents) read(ctx context.Context, digest fairlead.Digest, limit int64) ([]byte, error) {
	blob, err := c.Open(digest)
	if err != nil {
		return nil, err
	}
	defer blob.Close()
	data, err := io.ReadAll(io.LimitReader(blob, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fairlead.Errorf(fairlead.Corrupt, "read a blob", "%s has more than its %d bytes", digest, limit)
	}
	if err == nil {
		err = ctx.Err()
	}
	return data, err
}

// Listing is what a release's artifact holds.
type Listing struct {
	Count int   // of all files and links
	Bytes int64 // of all files
	Files []Listed
}

// Listed is a file of an artifact with the kinds that its release names it as.
type Listed struct {
	File
	Kinds []string // of model, prompt and config
}

// List returns what a release holds: the files that it names first, then others by path,
// at most limit of those. The caller must not change what is in it.
func (c *Contents) List(ctx context.Context, app string, number, limit int) (Listing, error) {
	r, err := c.Get(ctx, app, number)
	if err != nil {
		return Listing{}, err
	}
	return c.listings.of(fmt.Sprint(r.Digest, limit), func() (Listing, error) { return c.list(ctx, r, limit) })
}

func (c *Contents) list(ctx context.Context, r fairlead.Release, limit int) (Listing, error) {
	side, err := c.side(ctx, r)
	if err != nil {
		return Listing{}, err
	}
	l := Listing{Count: len(side.Files)}
	var others []Listed
	for _, f := range side.Files {
		l.Bytes += f.Bytes
		if kinds := side.kindsOf(f.Path); len(kinds) > 0 {
			l.Files = append(l.Files, Listed{f, kinds})
		} else if len(others) < limit {
			others = append(others, Listed{File: f})
		}
	}
	slices.SortStableFunc(l.Files, func(a, b Listed) int {
		return slices.Index(kinds(), a.Kinds[0]) - slices.Index(kinds(), b.Kinds[0])
	})
	l.Files = append(l.Files, others...)
	return l, nil
}

func (s Side) kindsOf(path string) []string {
	var named []string
	for _, kind := range kinds() {
		if _, ok := s.Content.Files[kind+"/"+path]; ok {
			named = append(named, kind)
		}
	}
	return named
}

// Text returns a file of a release, and its content where that is text of a size that
// can be shown; else why says why not.
func (c *Contents) Text(ctx context.Context, app string, number int, path string) (f Listed, text, why string, err error) {
	r, err := c.Get(ctx, app, number)
	if err != nil {
		return f, "", "", err
	}
	side, err := c.side(ctx, r)
	if err != nil {
		return f, "", "", err
	}
	at, ok := slices.BinarySearchFunc(side.Files, path, func(f File, path string) int { return strings.Compare(f.Path, path) })
	if !ok {
		return f, "", "", fairlead.Errorf(fairlead.NotFound, "read "+side.Name(), "it has no file %q", path).
			WithHint("its page, and GET /v1/apps/%s/releases/%d/files, list what it has", app, number)
	}
	f = Listed{side.Files[at], side.kindsOf(path)}
	switch {
	case f.Link != "":
		return f, "", "it is a link to " + f.Link, nil
	case f.Bytes > maxText:
		return f, "", tooLarge(), nil
	}
	data, err := c.read(ctx, f.Digest, f.Bytes)
	if err != nil || IsText(string(data)) {
		return f, string(data), "", err
	}
	return f, "", "it is not text", nil
}
