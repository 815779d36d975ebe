package api

import (
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/ledger"
)

// meddle changes the database behind the server's back.
func (b *book) meddle(t testing.TB, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(b.dir, "fairlead.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if _, err := db.ExecContext(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}

func (b *book) proven(t testing.TB, seq uint64) client.Proven {
	t.Helper()
	p, err := b.client.Proven(t.Context(), seq)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// decided is a decision with a person's reason, on facts.
func (b *book) decided(t testing.TB, why string) {
	t.Helper()
	sealed, err := b.store.Sealer().Seal(t.Context(), "ada", why)
	if err != nil {
		t.Fatal(err)
	}
	fact := fairlead.Fact{Stream: "ro-1", N: 1, Body: []byte(`{}`)}
	digest := ledger.FactsNext(ledger.FactsStart("ro-1"), fact.Body)
	e := fairlead.Entry{
		Time: b.at, Kind: "rollout.paused", Site: fairlead.Site{App: "triage", Env: "production"}, Principal: b.seal(t, "ada"),
		Data: fmt.Appendf(nil, `{"rollout":"ro-1","text":"paused at 25 %%","facts":{"stream":"ro-1","n":1,"digest":%q}}`, digest),
		Rows: []fairlead.Row{
			{Kind: "rollout", Key: "ro-1", Value: fmt.Appendf(nil, `{"to":7,"notes":[{"text":"old","why":"system:no"},{"text":"paused at 25 %%","why":%q}]}`, sealed)},
			{Kind: "began", Key: "ro-1"},
		},
	}
	if _, err := b.store.Commit(t.Context(), fairlead.Change{Entries: []fairlead.Entry{e}, Facts: []fairlead.Fact{fact}}); err != nil {
		t.Fatal(err)
	}
}

func TestAnEntryIsShownWithAProofThatAnybodyCanFollow(t *testing.T) {
	b := newBook(t)
	for range 5 {
		b.write(t, "server.started", "", "", "system:server")
	}
	b.decided(t, "traffic looks odd")
	b.write(t, "server.ending", "", "", "system:server")
	p := b.proven(t, 5)
	if !p.Holds || p.Problem != "" || p.Size != 7 || p.Key != b.store.VerifierKey() {
		t.Fatalf("%+v", p)
	}
	if p.Entry.Text != "paused at 25 %" || p.Entry.Principal != "ada" || p.Reason != "traffic looks odd" || p.Rollout != "ro-1" || p.Release != "triage@7" {
		t.Errorf("in words: %+v", p)
	}
	if p.Facts == nil || p.Facts.Stream != "ro-1" || p.Facts.N != 1 || len(p.Rows) != 2 || p.Rows[0].Deleted || !p.Rows[1].Deleted {
		t.Errorf("rows %+v, facts %+v", p.Rows, p.Facts)
	}
	if strings.Contains(string(p.Entry.Data), "odd") {
		t.Errorf("its data is opened: %s", p.Entry.Data)
	}
	// As a stranger follows it, with nothing but the JSON and the key.
	proof := ledger.Inclusion{Seq: p.Entry.Seq, Checkpoint: []byte(p.Checkpoint)}
	decode := func(text string) (hash tlog.Hash) {
		data, err := base64.StdEncoding.DecodeString(text)
		if err != nil || copy(hash[:], data) != tlog.HashSize {
			t.Fatalf("%q, %v", text, err)
		}
		return hash
	}
	proof.Commitment = ledger.Commitment(decode(p.Commitment))
	for _, step := range p.Path {
		proof.Path = append(proof.Path, decode(step.Hash))
	}
	if c, err := proof.Check(b.store.VerifierKey()); err != nil || c.Root.String() != p.Root || p.Path[len(p.Path)-1].Sum != p.Root {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestAnErasedPersonAndTheirReasonShowAsSuch(t *testing.T) {
	b := newBook(t)
	b.decided(t, "traffic looks odd")
	if err := b.store.Sealer().Erase(t.Context(), "ada"); err != nil {
		t.Fatal(err)
	}
	if p := b.proven(t, 0); p.Entry.Principal != ledger.Erased || p.Reason != ledger.Erased || !p.Holds {
		t.Errorf("%+v", p)
	}
}

func TestATamperedEntryIsShownWithAProofThatDoesNotHold(t *testing.T) {
	for name, c := range map[string]struct{ statement, says string }{
		"a changed body":       {`UPDATE entries SET body = CAST(replace(body, 'b.c', 'x.y') AS BLOB) WHERE seq = 2`, "proof"},
		"a changed salt":       {`UPDATE entries SET salt = zeroblob(16) WHERE seq = 2`, "proof"},
		"a salt that is none":  {`UPDATE entries SET salt = zeroblob(3) WHERE seq = 2`, "salt is malformed"},
		"a changed hash":       {`UPDATE entries SET hashes = zeroblob(length(hashes)) WHERE seq = 3`, "proof"},
		"a hash that is gone":  {`UPDATE entries SET hashes = zeroblob(0) WHERE seq = 3`, "is missing"},
		"a forged checkpoint":  {`UPDATE checkpoints SET note = CAST(replace(note, '4', '5') AS BLOB)`, "checkpoint"},
		"a body for another's": {`UPDATE entries SET body = (SELECT body FROM entries WHERE seq = 1) WHERE seq = 2`, "proof"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBook(t)
			for range 4 {
				b.write(t, "b.c", "", "", "system:test")
			}
			b.meddle(t, c.statement)
			p := b.proven(t, 2)
			if p.Holds || !strings.Contains(p.Problem, c.says) {
				t.Errorf("holds %v, problem %q", p.Holds, p.Problem)
			}
		})
	}
}

func TestAnEntryThatIsNotThereIsToComeOrWasTakenOut(t *testing.T) {
	b := newBook(t)
	for range 3 {
		b.write(t, "b.c", "", "", "system:test")
	}
	b.meddle(t, `DELETE FROM entries WHERE seq = 1`)
	for seq, want := range map[uint64]fairlead.Code{1: fairlead.Corrupt, 3: fairlead.NotFound, 1 << 62: fairlead.NotFound, 1<<64 - 1: fairlead.NotFound} {
		if _, err := b.client.Proven(t.Context(), seq); fairlead.CodeOf(err) != want {
			t.Errorf("entry %d: %v", seq, err)
		}
	}
	for _, path := range []string{"-1", "x", "1e3", "0x1", "18446744073709551616"} {
		h := New(func() Config { c := testConfig(fairlead.Viewer); c.Ledger, c.Record = b.store, b.store; return c }())
		if w := ask(h, http.MethodGet, "/v1/ledger/entries/"+path, nil); w.Code < 400 || w.Code > 499 {
			t.Errorf("entry %s: status %d", path, w.Code)
		}
	}
}

func TestTheNewestCheckpointIsOfAllEntries(t *testing.T) {
	b := newBook(t)
	if s, err := b.client.Signed(t.Context()); err != nil || s.Checkpoint != "" || s.Size != 0 || s.Key == "" {
		t.Errorf("before the first entry: %+v, %v", s, err)
	}
	for range 3 {
		b.write(t, "b.c", "", "", "system:test")
	}
	s, err := b.client.Signed(t.Context())
	if err != nil || s.Size != 3 {
		t.Fatalf("%+v, %v", s, err)
	}
	if c, err := ledger.OpenCheckpoint([]byte(s.Checkpoint), s.Key); err != nil || c.Size != 3 || c.Root.String() != s.Root {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestWhoMayReadTheLedger(t *testing.T) {
	b := newBook(t)
	b.write(t, "b.c", "", "", "system:test")
	for role, want := range map[fairlead.Role]int{fairlead.Viewer: http.StatusOK, fairlead.Reporter: http.StatusForbidden} {
		c := testConfig(role)
		c.Ledger, c.Record = b.store, b.store
		for _, path := range []string{"entries", "entries/0", "checkpoint"} {
			if w := ask(New(c), http.MethodGet, "/v1/ledger/"+path, nil); w.Code != want {
				t.Errorf("%s, %s: status %d, want %d", role, path, w.Code, want)
			}
		}
	}
}

func TestEachKindOfEntryIsPutInWords(t *testing.T) {
	for _, c := range []struct{ kind, data, want string }{
		{"rollout.held", `{"text":"held at 25 %"}`, "held at 25 %"},
		{"gateway.started", `{"text":"boot B"}`, "the gateway serves: boot B"},
		{"rollout.began", `{"id":"ro-1","notes":[{"text":"triage@2 is on its way"}]}`, "triage@2 is on its way"},
		{"release.created", `{"release":"triage@2"}`, "triage@2 is recorded"},
		{"instance.start", `{"id":"i","target":"a-1","detail":{}}`, "a-1 is to start"},
		{"instance.startedFailed", `{"target":"a-1","error":"no such file"}`, "a-1 could not be started: no such file"},
		{"traffic.shift", `{"target":"ro-1","detail":{"weight":2500,"epoch":1}}`, "the gateway is to give the new release 25 % of the traffic"},
		{"traffic.shifted", `{"target":"ro-1","shift":{"weight":2500}}`, "the new release has 25 % of the traffic"},
		{"gate.run", `{"gate":"lint"}`, "gate lint is to run"},
		{"gate.passed", `{"gate":"lint","release":"triage@2","exitCode":0,"took":"1.5s"}`, "gate lint passed for triage@2 after 1.5 s"},
		{"gate.failed", `{"gate":"lint","release":"triage@2","exitCode":3,"took":"2m5s"}`, "gate lint failed for triage@2: exit status 3 after 2 min 5 s"},
		{"gate.interrupted", `{"gate":"lint","error":"it ended"}`, "gate lint came to nothing: it ended"},
		{"secret.set", `{"env":"production","name":"KEY","versions":[3]}`, "KEY has a version 3"},
		{"secret.removed", `{"name":"KEY","versions":[1,2]}`, "KEY is removed, with what its 2 versions held"},
		{"server.started", `{"term":4,"version":"v1"}`, "the control plane starts: version v1, term 4"},
		{"new.kind", `{"target":"x","error":"y"}`, "x: y"},
		{"new.kind", `[1]`, ""},
		{"new.kind", ``, ""},
	} {
		if got := sentence(fairlead.Entry{Kind: c.kind, Data: json.RawMessage(c.data)}); got != c.want {
			t.Errorf("%s: %q, want %q", c.kind, got, c.want)
		}
	}
}

func TestNobodyIsShownTheSaltOfARollout(t *testing.T) {
	b := newBook(t)
	const salt = "O/q3zHdw/RRIvlXzLs5E2E1WwwuXQR8M8lieMLzNiaY="
	e := fairlead.Entry{
		Time: b.at, Kind: "rollout.began", Site: fairlead.Site{App: "triage", Env: "production"}, Principal: b.seal(t, "ada"),
		Data: json.RawMessage(`{"id":"ro-1","to":1,"salt":"` + salt + `","notes":[{"text":"on its way"}]}`),
	}
	if _, err := b.store.Commit(t.Context(), fairlead.Change{Entries: []fairlead.Entry{e}}); err != nil {
		t.Fatal(err)
	}
	p := b.proven(t, 0)
	if data := string(p.Entry.Data); !p.Holds || strings.Contains(data, salt) || !strings.Contains(data, `"id":"ro-1","to":1,"salt":"withheld"`) {
		t.Errorf("the entry holds %t: %s", p.Holds, data)
	}
	if event := viewEvent(e, func(fairlead.Sealed) string { return "ada" }); strings.Contains(string(event.Data), salt) || event.Text != "on its way" {
		t.Errorf("as an event: %+v", event)
	}
	if kept, err := b.store.Entries(t.Context(), 0, 1); err != nil || !strings.Contains(string(kept[0].Data), salt) {
		t.Errorf("the ledger keeps %s, %v", kept[0].Data, err)
	}
}
