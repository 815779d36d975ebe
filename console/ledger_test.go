package console

import (
	"context"
	"database/sql"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api"
	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/internal/consolecookie"
	"github.com/fairlead/fairlead/internal/inprocess"
	"github.com/fairlead/fairlead/store/sqlite"
)

// oneSession knows one person, whose token is "token".
type oneSession struct{ role fairlead.Role }

func (o oneSession) Redeem(context.Context, string) (string, Session, error) {
	return "", Session{}, fairlead.Errorf(fairlead.Unauthorized, "", "no links here")
}

func (o oneSession) Find(token string) (Session, bool) {
	return Session{Who: fairlead.Principal{ID: "system:test", Role: o.role}, Name: "ada", Done: context.Background()}, token == "token"
}

func (o oneSession) End(context.Context, string) error { return nil }

// saidVerification is how a verification stands, as the test says.
type saidVerification struct {
	mu    sync.Mutex
	said  client.Verification
	asked int
}

func (v *saidVerification) Newest() client.Verification {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.said
}

func (v *saidVerification) Begin(by fairlead.Principal) (client.Verification, error) {
	if !by.May(fairlead.Operator) {
		return client.Verification{}, fairlead.Errorf(fairlead.Forbidden, "verify the ledger", "this needs the role operator")
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.asked++
	return v.said, nil
}

// ledgerWorld is a console over a real ledger and the real API.
type ledgerWorld struct {
	*testing.T
	dir      string
	store    *sqlite.Store
	verifier *saidVerification
	console  http.Handler
}

func newLedgerWorld(t *testing.T, role fairlead.Role) *ledgerWorld {
	t.Helper()
	w := &ledgerWorld{T: t, dir: t.TempDir(), verifier: &saidVerification{said: client.Verification{State: client.VerifyNever}}}
	var err error
	if w.store, err = sqlite.Open(w.dir, sqlite.Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.store.Close() })
	control := api.New(api.Config{
		Version: func() client.Version { return client.Version{Version: "v9", State: w.dir} },
		Ledger:  w.store, Record: w.store, Verifier: w.verifier, Now: time.Now, Hosts: []string{"fairlead", "localhost"},
		Open: func(ctx context.Context, s fairlead.Sealed) string {
			text, err := w.store.Sealer().Open(ctx, s)
			if err != nil {
				t.Error(err)
			}
			return text
		},
		Identify: func(*http.Request) (fairlead.Principal, error) {
			return fairlead.Principal{ID: "system:test", Role: role}, nil
		},
	})
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/apps", func(rw http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(rw).Encode([]client.App{{Name: "triage", Sites: []client.Site{{Env: "production"}}}})
	})
	mux.Handle("/", control)
	w.console = New(Config{
		API: func(fairlead.Principal) *client.Client {
			return client.Within(inprocess.Transport{Handler: mux, Log: slog.New(slog.DiscardHandler)})
		},
		Sessions: oneSession{role}, Changed: func(ctx context.Context, from uint64) (uint64, error) { return w.store.Size(), w.store.Wait(ctx, from) }, Now: time.Now, Hosts: []string{"localhost"}, Log: slog.New(slog.DiscardHandler), Version: "v9",
	})
	return w
}

func (w *ledgerWorld) write(e fairlead.Entry) {
	w.Helper()
	if e.Time.IsZero() {
		e.Time = time.Date(2026, 3, 1, 12, 0, int(w.store.Size()), 0, time.UTC)
	}
	if e.Principal == "" {
		e.Principal = "system:rollout"
	}
	if _, err := w.store.Commit(w.Context(), fairlead.Change{Entries: []fairlead.Entry{e}}); err != nil {
		w.Fatal(err)
	}
}

func (w *ledgerWorld) ask(method, path string, form url.Values) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://localhost:8090"+path, strings.NewReader(form.Encode()))
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", "http://localhost:8090")
	}
	r.AddCookie(&http.Cookie{Name: consolecookie.Of(r.Host), Value: "token"})
	rw := httptest.NewRecorder()
	w.console.ServeHTTP(rw, r)
	return rw
}

func (w *ledgerWorld) page(path string) string {
	w.Helper()
	got := w.ask(http.MethodGet, path, nil)
	if got.Code != http.StatusOK {
		w.Fatalf("%s: status %d\n%s", path, got.Code, got.Body)
	}
	return got.Body.String()
}

func (w *ledgerWorld) says(page string, wanted ...string) {
	w.Helper()
	for _, want := range wanted {
		if !strings.Contains(page, want) {
			w.Errorf("it does not say %q:\n%s", want, page)
		}
	}
}

func (w *ledgerWorld) silent(page string, unwanted ...string) {
	w.Helper()
	for _, not := range unwanted {
		if strings.Contains(page, not) {
			w.Errorf("it says %q:\n%s", not, page)
		}
	}
}

func (w *ledgerWorld) meddle(statement string) {
	w.Helper()
	db, err := sql.Open("sqlite", filepath.Join(w.dir, "fairlead.db"))
	if err != nil {
		w.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if _, err := db.ExecContext(w.Context(), statement); err != nil {
		w.Fatal(err)
	}
}

func TestTheLedgerShowsEntriesInWordsNewestFirst(t *testing.T) {
	w := newLedgerWorld(t, fairlead.Viewer)
	w.write(fairlead.Entry{Kind: "rollout.rolledBack", Site: fairlead.Site{App: "triage", Env: "production"}, Data: []byte(`{"text":"triage@3 is worse"}`)})
	w.write(fairlead.Entry{Kind: "some.new", Principal: "system:other"})
	page := w.page("/ledger")
	w.says(page, "Rolled back", "triage@3 is worse", `href="/ledger/0"`, `href="/apps/triage"`, "Fairlead, rollouts", "some.new", "Sunday, 2026-03-01", "12:00:00 UTC", "The newest 2 entries of 2", "This is the beginning of the ledger")
	if strings.Index(page, `href="/ledger/1"`) > strings.Index(page, `href="/ledger/0"`) {
		t.Error("the oldest comes first")
	}
	w.silent(page, "/ledger/verify", "Look further")
}

func TestFiltersAreKeptShownAndTakenAwayOneByOne(t *testing.T) {
	w := newLedgerWorld(t, fairlead.Viewer)
	for i := range 120 {
		w.write(fairlead.Entry{Kind: []string{"gate.passed", "secret.set"}[i%2], Site: fairlead.Site{App: "triage", Env: "production"}})
	}
	page := w.page("/ledger?kind=gate.&app=triage&env=&principal=system%3Arollout&from=&until=")
	w.says(page, "40 entries that fit", "Gate passed", `<option value="gate." selected>`, `href="/ledger?app=triage&amp;before=40&amp;kind=gate.&amp;principal=system%3Arollout"`,
		`href="/ledger?app=triage&amp;kind=gate."`, "What: <b>Gates</b>", "Who: <b>Fairlead, rollouts</b>", `/ledger/files/entries.csv?app=triage&amp;kind=gate.`)
	w.says(page, `"/live/ledger?kind=gate.&amp;app=triage`) // it is followed as it is filtered
	w.silent(page, "Secret set</span>")
	older := w.page("/ledger?app=triage&before=40&kind=gate.&principal=system%3Arollout")
	w.says(older, "20 entries that fit", "Nothing older fits", "To the newest")
	w.says(w.page("/ledger?kind=token.revoked"), "Nothing fits", "Show everything")
	w.says(w.page("/ledger?kind=odd.kind&app=gone"), "<option selected>odd.kind</option>", "<option selected>gone</option>")
	w.says(w.page("/ledger?until=2026-01-01"), "Nothing fits", `type="date" value="2026-01-01"`)
	for _, path := range []string{"/ledger?before=x", "/ledger?before=-1", "/ledger?from=soon", "/ledger?kind=" + strings.Repeat("k", 2000)} {
		if got := w.ask(http.MethodGet, path, nil); got.Code != http.StatusBadRequest && got.Code != http.StatusUnprocessableEntity {
			t.Errorf("%.30s: status %d", path, got.Code)
		}
	}
}

func TestASearchThatFindsLittleSaysHowFarItLooked(t *testing.T) {
	w := newLedgerWorld(t, fairlead.Viewer)
	w.write(fairlead.Entry{Kind: "secret.set"})
	hay := make([]fairlead.Entry, 10_500)
	for i := range hay {
		hay[i] = fairlead.Entry{Time: time.Now(), Kind: "gate.passed", Principal: "system:test"}
	}
	for range 2 {
		if _, err := w.store.Commit(t.Context(), fairlead.Change{Entries: hay}); err != nil {
			t.Fatal(err)
		}
	}
	w.says(w.page("/ledger?kind=secret."), "Nothing that fits so far", "The newest 20,000 entries looked through hold none, back to entry 1,001", "Look further back", `href="/ledger?before=1001&amp;kind=secret."`)
	w.says(w.page("/ledger?before=1001&kind=secret."), "1 entry that fits", "Nothing older fits")
	w.write(fairlead.Entry{Kind: "secret.set"})
	w.says(w.page("/ledger?kind=secret."), "1 entry that fits", "Looked through 20,001 entries")
}

func TestAnEmptyLedgerHasAPage(t *testing.T) {
	w := newLedgerWorld(t, fairlead.Viewer)
	w.says(w.page("/ledger"), "Nothing was recorded yet", "Not verified since the start")
}

func TestAnEntryIsToldAndProven(t *testing.T) {
	w := newLedgerWorld(t, fairlead.Viewer)
	for range 9 {
		w.write(fairlead.Entry{Kind: "server.started"})
	}
	sealed, err := w.store.Sealer().Seal(t.Context(), "ada", "it looks <b>odd</b>")
	if err != nil {
		t.Fatal(err)
	}
	w.write(fairlead.Entry{
		Kind: "rollout.paused", Principal: sealed, Site: fairlead.Site{App: "triage", Env: "production"}, Data: []byte(`{"rollout":"ro-1","text":"paused at 25 %"}`),
		Rows: []fairlead.Row{{Kind: "rollout", Key: "ro-1", Value: fmt.Appendf(nil, `{"to":7,"notes":[{"text":"p","why":%q}]}`, sealed)}},
	})
	w.write(fairlead.Entry{Kind: "server.ending"})
	page := w.page("/ledger/9")
	w.says(page, "paused at 25 %", "it looks &lt;b&gt;odd&lt;/b&gt;", `href="/rollouts/ro-1"`, `href="/apps/triage/releases/7"`, "Proof holds", "the same as the last",
		`href="/ledger/8"`, `href="/ledger/10"`, w.store.VerifierKey()[:40], "fairlead ledger check entry-9.json", "State that it set, 1 row", "2026-03-01 12:00:09 UTC")
	w.silent(page, "does not hold", "<b>odd</b>")
	w.silent(w.page("/ledger/0"), `rel="prev"`)
	w.silent(w.page("/ledger/10"), `rel="next"`)
	for _, path := range []string{"/ledger/11", "/ledger/x", "/ledger/-1", "/ledger/99999999999999999999", "/ledger/files/x.json", "/ledger/files/entry-09.json"} {
		if got := w.ask(http.MethodGet, path, nil); got.Code != http.StatusNotFound {
			t.Errorf("%s: status %d", path, got.Code)
		}
	}
}

func TestAProofThatDoesNotHoldAlarms(t *testing.T) {
	w := newLedgerWorld(t, fairlead.Viewer)
	for range 5 {
		w.write(fairlead.Entry{Kind: "rollout.noted", Data: []byte(`{"text":"as it was"}`)})
	}
	w.meddle(`UPDATE entries SET body = CAST(replace(body, 'as it was', 'as it is!') AS BLOB) WHERE seq = 2`)
	w.says(w.page("/ledger/2"), "Proof does not hold", `role="alert"`, "Do not rely on this entry", "the path does not lead here", "as it is!")
	w.silent(w.page("/ledger/1"), "Do not rely")
	w.meddle(`DELETE FROM entries WHERE seq = 3`)
	if got := w.ask(http.MethodGet, "/ledger/3", nil); got.Code != http.StatusInternalServerError || !strings.Contains(got.Body.String(), "taken out") {
		t.Errorf("status %d: %s", got.Code, got.Body)
	}
}

// Whoever names apps, writes reasons or kinds may be a stranger.
func TestWhatAStrangerWroteStaysText(t *testing.T) {
	const evil = `<script>alert(1)</script>"'><img src=x onerror=alert(2)>`
	w := newLedgerWorld(t, fairlead.Operator)
	data, err := json.Marshal(map[string]string{"text": evil + "\u202e\x1b[31m", "rollout": "../" + evil, "release": evil + "@1"})
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := w.store.Sealer().Seal(t.Context(), evil, evil)
	if err != nil {
		t.Fatal(err)
	}
	w.write(fairlead.Entry{Kind: evil, Site: fairlead.Site{App: "javascript:alert(1)" + evil, Env: evil}, Principal: sealed, Data: data, Rows: []fairlead.Row{{Kind: evil, Key: evil, Value: []byte(`{}`)}}})
	w.verifier.said = client.Verification{State: client.VerifyBad, Findings: []string{evil}}
	for _, path := range []string{"/ledger", "/ledger/0", "/ledger?app=" + url.QueryEscape(evil) + "&kind=" + url.QueryEscape(evil) + "&principal=" + url.QueryEscape(evil) + "&env=" + url.QueryEscape(evil)} {
		page := w.page(path)
		w.silent(page, "<script>alert", "<img src=x", "\u202e", "\x1b", `href="javascript:`)
		w.says(page, "&lt;script&gt;alert(1)&lt;/script&gt;")
	}
}

func TestVerificationIsShownAndBegunByWhoMay(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	w := newLedgerWorld(t, fairlead.Operator)
	w.write(fairlead.Entry{Kind: "server.started"})
	for _, c := range []struct {
		said client.Verification
		want []string
	}{
		{client.Verification{State: client.VerifyNever}, []string{"Not verified since the start", "Verify now"}},
		{client.Verification{State: client.VerifyRunning, Began: at, Size: 1000, Entries: 250}, []string{"250 of 1,000 entries", `value="25"`, "half speed"}},
		{client.Verification{State: client.VerifyGood, Began: at, Ended: at.Add(2 * time.Second), Entries: 1, Rows: 3}, []string{"Whole", "1 entry", "3 rows", "2.0 s", "Nothing was written since", "Verify again"}},
		{client.Verification{State: client.VerifyBad, Findings: []string{"entry: entry 3 was changed"}, More: 7}, []string{"The ledger is not as it was written", "entry 3 was changed", "and 7 more", "Keep a copy"}},
		{client.Verification{State: client.VerifyFailed, Problem: "the disk is gone"}, []string{"Could not be verified", "the disk is gone"}},
	} {
		w.verifier.said = c.said
		w.says(w.page("/ledger"), c.want...)
	}
	form := w.page("/ledger/verify")
	_, rest, _ := strings.Cut(form, `action="/ledger/verify"`)
	_, rest, _ = strings.Cut(rest, `name="csrf" value="`)
	csrf, _, _ := strings.Cut(rest, `"`)
	if got := w.ask(http.MethodPost, "/ledger/verify", url.Values{"csrf": {"other"}}); got.Code != http.StatusForbidden || w.verifier.asked != 0 {
		t.Errorf("another's form: status %d, asked %d times", got.Code, w.verifier.asked)
	}
	if got := w.ask(http.MethodPost, "/ledger/verify", url.Values{"csrf": {csrf}}); got.Code != http.StatusSeeOther || got.Header().Get("Location") != "/ledger" || w.verifier.asked != 1 {
		t.Errorf("status %d, asked %d times: %s", got.Code, w.verifier.asked, got.Body)
	}
	viewer := newLedgerWorld(t, fairlead.Viewer)
	viewer.write(fairlead.Entry{Kind: "server.started"})
	viewer.silent(viewer.page("/ledger"), "Verify now")
	if got := viewer.ask(http.MethodPost, "/ledger/verify", url.Values{"csrf": {csrf}}); got.Code != http.StatusForbidden || viewer.verifier.asked != 0 {
		t.Errorf("a viewer: status %d", got.Code)
	}
}

func TestFilesOfTheLedgerAreDownloads(t *testing.T) {
	w := newLedgerWorld(t, fairlead.Viewer)
	w.write(fairlead.Entry{Kind: "rollout.noted", Data: []byte(`{"text":"=HYPERLINK(\"http://x\")"}`), Site: fairlead.Site{App: "triage"}})
	w.write(fairlead.Entry{Kind: "server.started"})
	file := func(name string) string {
		t.Helper()
		got := w.ask(http.MethodGet, "/ledger/files/"+name, nil)
		plain, _, _ := strings.Cut(name, "?")
		if got.Code != http.StatusOK || got.Header().Get("Content-Disposition") != `attachment; filename="`+plain+`"` {
			t.Fatalf("%s: status %d, %v", name, got.Code, got.Header())
		}
		return got.Body.String()
	}
	rows, err := csv.NewReader(strings.NewReader(file("entries.csv?app=triage"))).ReadAll()
	if err != nil || len(rows) != 2 || rows[1][0] != "0" || rows[1][6] != `'=HYPERLINK("http://x")` {
		t.Errorf("%q, %v", rows, err)
	}
	lines := json.NewDecoder(strings.NewReader(file("entries.ndjson")))
	var e client.Event
	for n := 2; n > 0; n-- {
		if err := lines.Decode(&e); err != nil || e.Seq != uint64(n-1) {
			t.Errorf("%+v, %v", e, err)
		}
	}
	if err := lines.Decode(&e); err != io.EOF {
		t.Errorf("more lines: %v", err)
	}
	var p client.Proven
	if err := json.Unmarshal([]byte(file("entry-0.json")), &p); err != nil || !p.Holds || p.Entry.Seq != 0 {
		t.Errorf("%+v, %v", p, err)
	}
	if note := file("checkpoint.txt"); note != p.Checkpoint {
		t.Errorf("%q", note)
	}
	if key := file("ledger.vkey"); key != w.store.VerifierKey()+"\n" {
		t.Errorf("%q", key)
	}
}

func TestEveryKindThatFairleadWritesHasWords(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range families() {
		for _, k := range f.Kinds {
			if !strings.HasPrefix(k.Kind, f.Prefix) || k.Name == "" || seen[k.Kind] || kindOf(k.Kind) != k {
				t.Errorf("%+v in %s", k, f.Prefix)
			}
			seen[k.Kind] = true
		}
	}
	// The kinds as they stand in the sources that write them.
	for _, kind := range kindsInSources(t) {
		if !seen[kind] {
			t.Errorf("%s has no words", kind)
		}
	}
}

// kindsInSources returns what looks like a kind of entry in the packages that write them.
func kindsInSources(t *testing.T) []string {
	t.Helper()
	literal := regexp.MustCompile(`"((?:rollout|gate|instance|release|secret|token|server|console)\.[a-z][a-zA-Z]*)"`)
	files := map[string]bool{ // and no names of files
		"server.key": true, "secret.txt": true,
	}
	var kinds []string
	for _, folder := range []string{"rollout", "readiness", "release", "secret", "server"} {
		sources, err := filepath.Glob("../" + folder + "/*.go")
		if err != nil || len(sources) == 0 {
			t.Fatal(folder, err)
		}
		for _, source := range sources {
			if strings.HasSuffix(source, "_test.go") {
				continue
			}
			text, err := os.ReadFile(source)
			if err != nil {
				t.Fatal(err)
			}
			for _, match := range literal.FindAllStringSubmatch(string(text), -1) {
				if !files[match[1]] {
					kinds = append(kinds, match[1])
				}
			}
		}
	}
	if len(kinds) < 30 {
		t.Fatalf("only %q", kinds)
	}
	return kinds
}
