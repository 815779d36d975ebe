package console

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
)

// evil is what a stranger may write where text stands.
const evil = `<script>alert(1)</script><img src=x onerror=alert(1)>"'&`

// aRelease is triage@3, made from a commit, rolled back in production.
func aRelease(change func(*client.Release)) client.Release {
	r := client.Release{
		App: "triage", Number: 3, Digest: fairlead.DigestOf([]byte("3")), Created: noon, By: "ada",
		Commit: &client.Commit{Repository: "https://git.example/triage", Ref: "main", Hash: "0dcdab2773559daf99fcf814bcb8be519341fc71", Author: "ada", Time: noon, Subject: "No retries", BuildLog: string(fairlead.DigestOf([]byte("log")))},
		Content: fairlead.Content{
			Command: []string{"./triage", "two words"}, Port: 8080, Env: map[string]string{"LEVEL": "debug"}, EnvIn: map[string]map[string]string{"qa": {"REGION": "eu"}},
			Readiness: fairlead.Check{Path: "/readyz", Interval: fairlead.Duration(time.Second), Failures: 3, Deadline: fairlead.Duration(time.Minute)},
			Secrets:   map[string]map[string]int{"qa": {"key": 1}, "production": {"key": 4}}, Gates: []fairlead.Gate{{Name: "accuracy", Command: []string{"./eval"}, Expires: fairlead.Duration(24 * time.Hour)}},
			Assignment: fairlead.Assignment{By: "session"},
		},
		Live: []string{"qa"},
		Rollouts: []client.Took{
			{ID: "ro-1", Env: "qa", From: 2, Phase: "ended", Outcome: client.Promoted, Began: noon, Decided: noon.Add(20 * time.Second)},
			{ID: "ro-2", Env: "production", From: 2, Phase: "ended", Outcome: client.RolledBack, Reason: "triage@3 is worse", Began: noon, Decided: noon.Add(64 * time.Second)},
		},
		Policy: []fairlead.Environment{{Name: "production", Replicas: 2, Strategy: fairlead.Strategy{Type: fairlead.Canary, Steps: []fairlead.Percent{25, 50}}}},
	}
	if change != nil {
		change(&r)
	}
	return r
}

// aDifference is from triage@2 to triage@3: each part is the same but those that are given.
func aDifference(changed ...client.PartChange) client.Difference {
	d := client.Difference{App: "triage", From: 2, To: 3, Why: "it was live in production when triage@3 came there"}
	for _, name := range []string{"artifact", "model", "prompt", "config", "command", "settings", "secrets", "gates", "policy", "commit"} {
		part := client.PartChange{Part: name, Change: client.Same}
		for _, c := range changed {
			if c.Part == name {
				part = c
				part.Change = client.Changed
			}
		}
		d.Parts = append(d.Parts, part)
	}
	return d
}

// answersAbout are what the API says of a release.
func answersAbout(r client.Release, d client.Difference, files ...client.ReleaseFile) map[string]any {
	path := fmt.Sprintf("/v1/apps/%s/releases/%d", r.App, r.Number)
	return map[string]any{
		"/v1/version": about, path: r, path + "/difference": d, path + "/files": client.ReleaseFiles{Count: len(files), Files: files},
		"/v1/apps/" + r.App: client.App{Name: r.App, Newest: r.Number}, "/v1/apps/" + r.App + "/releases": []client.Release{r},
	}
}

const releaseAt = "/apps/triage/releases/3"

func TestAReleasesPageSaysWhatItIsWhereItIsAndWhatChanged(t *testing.T) {
	d := aDifference(
		client.PartChange{Part: "prompt", Files: []client.FileChange{{Path: "prompt.txt", Change: client.Changed, Bytes: [2]int64{6, 12}, Diff: "@@ -4,3 +4,3 @@\n same\n-say 1\n+say 2\n end\n\\ No newline at end of file\n"}}},
		client.PartChange{Part: "model", Files: []client.FileChange{{Path: "weights.bin", Change: client.Changed, Bytes: [2]int64{1 << 30, 2 << 30}, NoDiff: "a model is compared by its digest"}}},
		client.PartChange{Part: "secrets", Values: []client.ValueChange{{Name: "production/key", Change: client.Changed, Before: "version 3", After: "version 4"}}},
		client.PartChange{Part: "artifact", More: 7, Files: []client.FileChange{{Path: "new", Was: "old", Change: client.Renamed, Bytes: [2]int64{5, 5}}}},
	)
	status, page := get(t, openConsole(t, answersAbout(aRelease(nil), d, client.ReleaseFile{Path: "prompt.txt", Kinds: []string{"prompt"}, Bytes: 12})), releaseAt)
	if status != http.StatusOK {
		t.Fatalf("status %d: %s", status, page)
	}
	has(t, page, "by ada from commit", "“No retries”", "live in qa", `href="/rollouts/ro-2"`, "rolled back", "triage@3 is worse", "64 s",
		"What changed since", "it was live in production when triage@3 came there", `id="change-prompt"`, `href="#change-prompt"`,
		`<tr class="r"><td>5<td><td>-<td>say <mark>1</mark>`, `<tr class="a"><td><td>5<td>+<td>say <mark>2</mark>`, "no newline at the end",
		"a model is compared by its digest", "1 GiB → 2 GiB", "version 3", "version 4", "before at <code>old</code>", "7 more changes",
		"configuration, command, settings, gates, policy of the environments, commit", "two words", "version 4 in production, version 1 in qa",
		"canary, 25 %, 50 %, all", "fresh for 24 h", "Log of the build", `<option value="2" selected>triage@2</option>`)
}

func TestAReleaseThatDiffersInNothingIsSaidTo(t *testing.T) {
	_, page := get(t, openConsole(t, answersAbout(aRelease(nil), aDifference())), releaseAt)
	has(t, page, "Nothing differs.")
	first := aDifference()
	first.From, first.Why = 0, "it is the first release"
	_, page = get(t, openConsole(t, answersAbout(aRelease(func(r *client.Release) { r.Live, r.Rollouts, r.Commit = nil, nil, nil }), first)), releaseAt)
	has(t, page, "There is nothing before it to compare it with", "live nowhere", "It has not been brought to an environment")
	if strings.Contains(page, "Log of the build") || strings.Contains(page, "from commit") {
		t.Error("a release of a directory has a commit")
	}
}

func TestForeignTextOnAReleasesPageStaysText(t *testing.T) {
	d := aDifference(
		client.PartChange{Part: "prompt", Files: []client.FileChange{{Path: evil, Was: evil, Note: evil, NoDiff: evil, Change: client.Changed, Diff: "@@ -1 +1 @@\n-" + evil + "1\n+" + evil + "2\n"}}},
		client.PartChange{Part: "settings", Values: []client.ValueChange{{Name: evil, Change: client.Changed, Before: evil, After: evil}}},
	)
	r := aRelease(func(r *client.Release) {
		r.By, r.Commit.Subject, r.Commit.Author, r.Commit.Ref, r.Commit.Repository, r.Commit.Hash = evil, evil, evil, "javascript:alert(1)", evil, evil
		r.Content.Command, r.Content.Env = []string{evil}, map[string]string{evil: evil}
		r.Rollouts[0].Reason, r.Rollouts[0].ID, r.Rollouts[0].Env = evil, evil, evil
		r.Content.Gates[0].Name, r.Content.Assignment.Name = evil, evil
	})
	answers := answersAbout(r, d, client.ReleaseFile{Path: evil, Link: evil}, client.ReleaseFile{Path: evil, Kinds: []string{"prompt"}})
	answers["/v1"+releaseAt+"/file"] = client.ReleaseFile{Path: evil, Text: evil + "\n" + evil, Kinds: []string{evil}}
	server := openConsole(t, answers)
	for _, path := range []string{releaseAt, releaseAt + "/file?path=x", "/apps/triage"} {
		status, page := get(t, server, path)
		if status != http.StatusOK || strings.Contains(page, "<script>alert") || strings.Contains(page, "<img") || !strings.Contains(page, "&lt;script&gt;alert") {
			t.Errorf("%s: status %d\n%s", path, status, page)
		}
	}
}

func TestWhatCannotBeSeenIsShownAsASign(t *testing.T) {
	for text, want := range map[string]string{
		"plain\ttext": "plain\ttext", "end\r": "end␍", "\x1b[31mred": "␛[31mred", "a\u202egnp.exe": "a⟨U+202E⟩gnp.exe", "zero\u200bwidth": "zero⟨U+200B⟩width", "日本": "日本", "\x7f": "⟨U+007F⟩",
	} {
		if got := visible(text); got != want {
			t.Errorf("%q is shown as %q, want %q", text, got, want)
		}
	}
}

func TestTheRowsOfADiffHaveTheLineNumbersOfBothTexts(t *testing.T) {
	rows := diffRows("@@ -0,0 +1,2 @@\n+a\n+\n@@ -9 +11,2 @@\n-old line\n+old lines\n+more\n")
	var got []string
	for _, r := range rows {
		got = append(got, fmt.Sprintf("%s %d %d %s|%s|%s", r.Kind, r.Old, r.New, r.Before, r.Mid, r.After))
	}
	want := "hunk 0 0 from line 1||; added 0 1 a||; added 0 2 ||; hunk 0 0 from line 11, before 9||; removed 9 0 old line||; added 0 11 old lines||; added 0 12 more||"
	if strings.Join(got, "; ") != want {
		t.Errorf("%s\nwant\n%s", strings.Join(got, "; "), want)
	}
	for _, odd := range []string{"", "\n\n", "@@", "@@ -x +y @@\n?", "\\", "no diff at all"} {
		diffRows(odd) // is shown somehow
	}
}

func TestAPageOfManyAndLongDiffsStaysSmall(t *testing.T) {
	var files []client.FileChange
	for i := range 200 {
		files = append(files, client.FileChange{Path: fmt.Sprintf("prompt/%03d", i), Change: client.Added, Bytes: [2]int64{0, 60 << 10}, Diff: "@@ -0,0 +1,900 @@\n" + strings.Repeat("+<&>\n", 900)})
	}
	var listed []client.ReleaseFile
	for i := range 300 {
		listed = append(listed, client.ReleaseFile{Path: fmt.Sprintf("data/%03d", i), Bytes: 1, Digest: fairlead.DigestOf([]byte{byte(i)})})
	}
	var values []client.ValueChange
	for i := range 200 {
		values = append(values, client.ValueChange{Name: fmt.Sprintf("env.X%03d", i), Change: client.Changed, Before: strings.Repeat("a", 2000), After: strings.Repeat("b", 2000)})
	}
	d := aDifference(client.PartChange{Part: "prompt", Files: files}, client.PartChange{Part: "artifact", Files: files}, client.PartChange{Part: "settings", Values: values})
	server := openConsole(t, answersAbout(aRelease(nil), d, listed...))
	_, page := get(t, server, releaseAt)
	if !strings.Contains(page, "Show what changed") || len(page) > 60<<10 {
		t.Errorf("%d bytes", len(page))
	}
	_, alone := get(t, server, releaseAt+"?file=prompt%2Fprompt%2F007")
	has(t, alone, "prompt/007", "more lines")
	if strings.Contains(alone, "prompt/008") || len(alone) > 60<<10 {
		t.Errorf("%d bytes", len(alone))
	}
	t.Logf("the page has %d bytes, that of one file %d", len(page), len(alone))
}

func TestAStreamOfAReleaseReadsNoDifference(t *testing.T) {
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1"+releaseAt {
			t.Errorf("a stream asks for %s", r.URL)
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(aRelease(nil))
	}))
	defer api.Close()
	names := map[string]string{"app": "triage", "number": "3"}
	page, err := releasePage(t.Context(), visit{api: client.Remote(api.URL, ""), live: true, path: func(name string) string { return names[name] }})
	if err != nil || len(page.Parts) != 2 {
		t.Errorf("%d parts, %v", len(page.Parts), err)
	}
}

func TestWrongReleasesAreProblemsInWords(t *testing.T) {
	server := openConsole(t, answersAbout(aRelease(nil), aDifference()))
	for path, want := range map[string]int{
		"/apps/triage/releases/x": http.StatusNotFound, "/apps/triage/releases/9": http.StatusNotFound, "/apps/nothing": http.StatusNotFound,
		releaseAt + "?from=%3Cb%3E": http.StatusBadRequest, releaseAt + "/file?path=nothing": http.StatusNotFound,
	} {
		status, page := get(t, server, path)
		if status != want || !strings.Contains(page, "<h1>") || strings.Contains(page, "<b>\"") {
			t.Errorf("%s: status %d, want %d", path, status, want)
		}
	}
}

func TestAnAppsPageHasItsPlacesReleasesAndRollouts(t *testing.T) {
	r := aRelease(nil)
	answers := answersAbout(r, aDifference())
	moving := client.Rollout{ID: "ro-9", App: "triage", Env: "production", From: 2, To: 3, Phase: "stepping", Step: 1, Weights: []fairlead.Weight{2500, 10000}, Weight: 2500}
	answers["/v1/apps/triage"] = client.App{Name: "triage", Newest: 3, Sites: []client.Site{
		{App: "triage", Env: "qa", Host: "qa.triage.localhost", Path: "/", Stable: 3}, {App: "triage", Env: "production", Host: "triage.localhost", Path: "/", Stable: 2, Rollout: &moving},
	}}
	_, page := get(t, openConsole(t, answers), "/apps/triage")
	has(t, page, "triage@3 is on its way in production", `href="/apps/triage/qa"`, `href="/rollouts/ro-9"`, `href="/apps/triage/releases/3"`, "No retries", "what changed",
		"live in qa", "2 older releases", "Newest rollouts", "triage@3 is worse")
}

func TestAReleasesPageSaysWhatItsImageIsAndRunsWith(t *testing.T) {
	hex := strings.Repeat("ab", 32)
	r := aRelease(func(r *client.Release) {
		r.Commit, r.RunsAs = nil, "the image names root; it runs as user 248689 in qa"+evil
		r.Content.Image = &fairlead.Image{
			ID: fairlead.Digest("sha256:" + hex), Reference: "docker/Dockerfile" + evil, Pinned: "registry.example/triage@sha256:" + strings.Repeat("cd", 32), Platform: "linux/amd64", Bytes: 9 << 20,
			Bases:  map[string]string{"python:3.12" + evil: "docker.io/library/python@sha256:" + strings.Repeat("ef", 32), "localhost/mine:1": "sha256:" + strings.Repeat("12", 32)},
			Target: "serve", BuildArgs: map[string]string{"MODEL": "small" + evil}, BuildLog: fairlead.DigestOf([]byte("log")),
		}
		r.Content.Resources = fairlead.Resources{Memory: "8Gi", Shm: "2Gi", GPU: &fairlead.GPU{Count: 2, Vendor: "nvidia"}}
		r.Content.Volumes = []fairlead.Volume{{Name: "data", Path: "/data", Size: "10Gi"}, {Name: "cache", Path: "/c", Size: "1Gi", Fresh: true}}
		r.Content.Loosen, r.Content.Network.Reach = &fairlead.Loosen{Root: true}, []string{"api.example:443"}
	})
	status, page := get(t, openConsole(t, answersAbout(r, aDifference())), releaseAt)
	if status != http.StatusOK {
		t.Fatalf("status %d: %s", status, page)
	}
	if strings.Contains(page, "<script>alert") {
		t.Error("what a stranger wrote is a part of the page")
	}
	for _, want := range []string{
		"<dt>Image", "docker/Dockerfile", "linux/amd64, 9 MiB", "pinned to <code", "cdcdcdcdcdcd", "abababababab",
		"up to its stage <code>serve</code>", "<code>MODEL</code> = <code>small", "python:3.12", "efefefefefef", "localhost/mine:1", "121212121212", "Log of the build",
		"<dt>User<dd>the image names root; it runs as user 248689 in qa", "memory 8Gi, /dev/shm 2Gi, 2 GPUs of nvidia",
		"data at /data, 10Gi; cache at /c, 1Gi, empty for each release", "its own environment, api.example:443", "they run as root",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
}
