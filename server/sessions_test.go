package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/store/sqlite"
)

// gate is the sessions of a state directory, and the links to them, at a time that the
// test sets.
type gate struct {
	*sessions
	t    *testing.T
	time time.Time
}

func newGate(t *testing.T) *gate {
	store, err := sqlite.Open(t.TempDir(), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	g := &gate{t: t, time: time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)}
	g.restart(store)
	return g
}

// restart opens what the store has, as a start does.
func (g *gate) restart(store *sqlite.Store) {
	g.t.Helper()
	now := func() time.Time { return g.time }
	opened, err := openSessions(context.Background(), newLinks(now, "http://fairlead.localhost:8090"), store, now,
		func(_ context.Context, s fairlead.Sealed) string { return strings.TrimPrefix(string(s), "system:") })
	if err != nil {
		g.t.Fatal(err)
	}
	g.sessions = opened
}

func person(role fairlead.Role) fairlead.Principal {
	return fairlead.Principal{ID: "system:ada", Role: role}
}

// code asks for a link and returns its code.
func (g *gate) code(by, as fairlead.Role) string {
	g.t.Helper()
	link, err := g.links.Link(context.Background(), client.NewLink{Role: as}, person(by))
	if err != nil {
		g.t.Fatal(err)
	}
	code, ours := strings.CutPrefix(link.URL, "http://fairlead.localhost:8090/login?code=")
	if !ours {
		g.t.Fatalf("the link is %s", link.URL)
	}
	return code
}

func (g *gate) enter(by, as fairlead.Role) string {
	g.t.Helper()
	token, _, err := g.Redeem(context.Background(), g.code(by, as))
	if err != nil {
		g.t.Fatal(err)
	}
	return token
}

// told is the ledger's newest entry.
func (g *gate) told() fairlead.Entry {
	g.t.Helper()
	entries, err := g.store.Entries(context.Background(), g.store.Size()-1, 1)
	if err != nil || len(entries) != 1 {
		g.t.Fatalf("%d entries, %v", len(entries), err)
	}
	return entries[0]
}

func TestALinkOpensOneSessionOfWhoAskedForIt(t *testing.T) {
	g := newGate(t)
	code := g.code(fairlead.Operator, "")
	token, s, err := g.Redeem(context.Background(), code)
	if err != nil || s.Who != person(fairlead.Operator) || s.Name != "ada" || !s.Expires.Equal(g.time.Add(12*time.Hour)) {
		t.Fatalf("the session is %+v, %v", s, err)
	}
	if found, ok := g.Find(token); !ok || found.Who != s.Who {
		t.Errorf("it is found as %+v, %t", found, ok)
	}
	if e := g.told(); e.Kind != "console.opened" || e.Principal != "system:ada" || strings.Contains(string(e.Data), "less") {
		t.Errorf("the ledger says %+v", e)
	}
	size := g.store.Size()
	for _, worthless := range []string{code, "", "0", strings.Repeat("0", 64)} {
		if _, _, err := g.Redeem(context.Background(), worthless); fairlead.CodeOf(err) != fairlead.Unauthorized {
			t.Errorf("the code %q: %v", worthless, err)
		}
	}
	if g.store.Size() != size {
		t.Error("strangers write to the ledger")
	}
}

func TestALinkGivesAtMostTheRoleOfWhoAsks(t *testing.T) {
	g := newGate(t)
	for _, c := range []struct {
		by, as fairlead.Role
		want   fairlead.Code
	}{
		{fairlead.Viewer, fairlead.Viewer, ""},
		{fairlead.Admin, fairlead.Viewer, ""},
		{fairlead.Viewer, fairlead.Operator, fairlead.Forbidden},
		{fairlead.Operator, fairlead.Admin, fairlead.Forbidden},
		{fairlead.Reporter, "", fairlead.Forbidden},
		{fairlead.Reporter, fairlead.Reporter, fairlead.Forbidden},
		{fairlead.Reporter, fairlead.Viewer, fairlead.Forbidden},
		{fairlead.Admin, fairlead.Reporter, fairlead.Invalid},
		{fairlead.Admin, "root", fairlead.Invalid},
		{"", "", fairlead.Forbidden},
	} {
		_, err := g.links.Link(context.Background(), client.NewLink{Role: c.as}, person(c.by))
		if (err != nil || c.want != "") && fairlead.CodeOf(err) != c.want {
			t.Errorf("%q asks for %q: %v", c.by, c.as, err)
		}
	}
	g.enter(fairlead.Admin, fairlead.Viewer)
	if e := g.told(); !strings.Contains(string(e.Data), "with the role viewer, which is less than who asked for it may do") {
		t.Errorf("of a lower role the ledger says %s", e.Data)
	}
}

func TestALinkIsWorthlessAfterFiveMinutesAndAfterARestart(t *testing.T) {
	g := newGate(t)
	late, lost := g.code(fairlead.Admin, ""), g.code(fairlead.Admin, "")
	g.time = g.time.Add(5*time.Minute - 1)
	intime := g.code(fairlead.Admin, "")
	g.time = g.time.Add(1)
	if _, _, err := g.Redeem(context.Background(), late); fairlead.CodeOf(err) != fairlead.Unauthorized {
		t.Errorf("after five minutes: %v", err)
	}
	if _, _, err := g.Redeem(context.Background(), intime); err != nil {
		t.Errorf("in time: %v", err)
	}
	g.restart(g.store)
	if _, _, err := g.Redeem(context.Background(), lost); fairlead.CodeOf(err) != fairlead.Unauthorized {
		t.Errorf("after a restart: %v", err)
	}
}

func TestLinksThatNobodyUsesDoNotPileUp(t *testing.T) {
	g := newGate(t)
	for range mostLinks {
		g.code(fairlead.Viewer, "")
	}
	if _, err := g.links.Link(context.Background(), client.NewLink{}, person(fairlead.Viewer)); fairlead.CodeOf(err) != fairlead.Conflict {
		t.Errorf("one too many: %v", err)
	}
	g.time = g.time.Add(linkGood)
	g.code(fairlead.Viewer, "")
	if n := len(g.links.waiting); n != 1 {
		t.Errorf("%d wait", n)
	}
}

func TestASessionOutlivesARestartUntilItExpires(t *testing.T) {
	g := newGate(t)
	token := g.enter(fairlead.Viewer, "")
	g.time = g.time.Add(12*time.Hour - 1)
	g.restart(g.store)
	if s, ok := g.Find(token); !ok || s.Who != person(fairlead.Viewer) || s.Name != "ada" {
		t.Errorf("after a restart it is %+v, %t", s, ok)
	}
	g.time = g.time.Add(1)
	if _, ok := g.Find(token); ok {
		t.Error("it is good after twelve hours")
	}
	g.restart(g.store)
	rows, err := g.store.Rows(context.Background(), sessionRow, "")
	if err != nil || len(rows) != 0 {
		t.Errorf("%d rows are left, %v", len(rows), err)
	}
	if e := g.told(); e.Kind != "console.closed" || e.Principal != self {
		t.Errorf("the ledger says %+v", e)
	}
	size := g.store.Size()
	g.restart(g.store)
	if g.store.Size() != size {
		t.Error("a start that removes nothing is recorded")
	}
}

func TestARestoredDatabaseBringsBackWhatItHeldUntilAllSessionsAreEnded(t *testing.T) {
	g := newGate(t)
	token := g.enter(fairlead.Admin, "")
	rows, err := g.store.Rows(context.Background(), sessionRow, "")
	if err != nil || len(rows) != 1 {
		t.Fatal(rows, err)
	}
	if err := g.End(context.Background(), token); err != nil {
		t.Fatal(err)
	}
	restored, err := sqlite.Open(t.TempDir(), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { restored.Close() })
	if err := record(context.Background(), restored, g.time, "console.opened", self, map[string]any{"text": "as it was"}, rows...); err != nil {
		t.Fatal(err)
	}
	g.restart(restored)
	if _, ok := g.Find(token); !ok {
		t.Error("a session that the restored database holds is not good")
	}
	if n, err := g.EndAll(context.Background(), person(fairlead.Admin)); err != nil || n != 1 {
		t.Errorf("%d ended, %v", n, err)
	}
	g.restart(restored)
	if _, ok := g.Find(token); ok {
		t.Error("it is good after all sessions were ended")
	}
}

func TestALogoutEndsTheSessionAtOnceAndForGood(t *testing.T) {
	g := newGate(t)
	token, other := g.enter(fairlead.Admin, ""), g.enter(fairlead.Admin, "")
	s, _ := g.Find(token)
	if err := g.End(context.Background(), token); err != nil {
		t.Fatal(err)
	}
	if s.Done.Err() == nil {
		t.Error("who follows a page is not told")
	}
	if e := g.told(); e.Kind != "console.closed" || e.Principal != "system:ada" {
		t.Errorf("the ledger says %+v", e)
	}
	size := g.store.Size()
	for range 2 {
		if _, ok := g.Find(token); ok {
			t.Error("it is found")
		}
		if err := g.End(context.Background(), token); err != nil || g.store.Size() != size {
			t.Errorf("ended once more: %v", err)
		}
		if s, ok := g.Find(other); !ok || s.Done.Err() != nil {
			t.Error("the other session ended too")
		}
		g.restart(g.store)
	}
}

func TestAnAdministratorEndsEverySessionAndEveryLink(t *testing.T) {
	g := newGate(t)
	tokens, code := []string{g.enter(fairlead.Admin, ""), g.enter(fairlead.Viewer, "")}, g.code(fairlead.Admin, "")
	if n, err := g.EndAll(context.Background(), person(fairlead.Operator)); n != 0 || fairlead.CodeOf(err) != fairlead.Forbidden {
		t.Errorf("an operator: %d, %v", n, err)
	}
	if n, err := g.EndAll(context.Background(), person(fairlead.Admin)); n != 2 || err != nil {
		t.Errorf("%d ended, %v", n, err)
	}
	if e := g.told(); e.Kind != "console.closed" || e.Principal != "system:ada" || len(e.Rows) != 2 {
		t.Errorf("the ledger says %+v", e)
	}
	for range 2 {
		for _, token := range tokens {
			if _, ok := g.Find(token); ok {
				t.Error("one goes on")
			}
		}
		if _, _, err := g.Redeem(context.Background(), code); fairlead.CodeOf(err) != fairlead.Unauthorized {
			t.Errorf("a link opens one: %v", err)
		}
		g.restart(g.store)
	}
	if n, err := g.EndAll(context.Background(), person(fairlead.Admin)); n != 0 || err != nil {
		t.Errorf("%d ended again, %v", n, err)
	}
}

func TestALinkThatIsOpenedWhileAllSessionsEndOpensNone(t *testing.T) {
	g := newGate(t)
	code := g.code(fairlead.Admin, fairlead.Admin)
	g.changing.Lock() // as EndAll holds it
	opened := make(chan error, 1)
	go func() {
		_, _, err := g.Redeem(context.Background(), code)
		opened <- err
	}()
	taken := func() bool {
		g.links.mu.Lock()
		defer g.links.mu.Unlock()
		return len(g.links.waiting) == 0
	}
	for range 50 { // it had the code by now, if it took it before its turn
		if taken() {
			break
		}
		time.Sleep(time.Millisecond)
	}
	g.links.clear()
	g.changing.Unlock()
	if err := <-opened; fairlead.CodeOf(err) != fairlead.Unauthorized {
		t.Errorf("it opened a session: %v", err)
	}
}

func TestWithoutARecordThereIsNoSessionAndNoEnd(t *testing.T) {
	g := newGate(t)
	token, code := g.enter(fairlead.Admin, ""), g.code(fairlead.Admin, "")
	gone, cancel := context.WithCancelCause(context.Background())
	cancel(errors.New("the disk is full"))
	if err := g.End(gone, token); err == nil {
		t.Error("it ended without a record")
	}
	if _, ok := g.Find(token); !ok {
		t.Error("it is gone without a record")
	}
	if token, _, err := g.Redeem(gone, code); err == nil || token != "" {
		t.Errorf("a session without a record: %v", err)
	}
	if n := g.count(); n != 1 {
		t.Errorf("%d sessions", n)
	}
}

func TestThereAreNotMoreSessionsThanCanBeKept(t *testing.T) {
	g := newGate(t)
	first := g.enter(fairlead.Viewer, "")
	for i := 1; i < mostSessions; i++ {
		g.byDigest[fmt.Sprint(i)] = g.opened(context.Background(), session{Who: person(fairlead.Viewer), Expires: g.time.Add(time.Hour * 24)})
	}
	if _, _, err := g.Redeem(context.Background(), g.code(fairlead.Viewer, "")); fairlead.CodeOf(err) != fairlead.Conflict {
		t.Errorf("one too many: %v", err)
	}
	if err := g.End(context.Background(), first); err != nil {
		t.Fatal(err)
	}
	g.enter(fairlead.Viewer, "")
}

func TestASecretOfASessionIsKeptNowhere(t *testing.T) {
	g := newGate(t)
	code := g.code(fairlead.Admin, "")
	token, _, err := g.Redeem(context.Background(), code)
	if err != nil {
		t.Fatal(err)
	}
	entries, err := g.store.Entries(context.Background(), 0, 100)
	if err != nil || len(entries) == 0 {
		t.Fatalf("%d entries, %v", len(entries), err)
	}
	for _, e := range entries {
		for _, secret := range []string{code, token} {
			if all, err := json.Marshal(e); err != nil || bytes.Contains(all, []byte(secret)) {
				t.Errorf("a secret is in the entry %s, %v", all, err)
			}
		}
	}
}

func TestTheConsolesAddressIsANameOfItsOwnOnThisMachineOnly(t *testing.T) {
	for api, want := range map[string]string{
		"127.0.0.1:8090":    "http://fairlead.localhost:8090",
		"[::1]:8090":        "http://fairlead.localhost:8090",
		"0.0.0.0:8090":      "http://fairlead.localhost:8090",
		"[::]:8090":         "http://fairlead.localhost:8090",
		"10.0.0.5:8090":     "http://10.0.0.5:8090",
		"[2001:db8::5]:809": "http://[2001:db8::5]:809",
	} {
		if got := consoleURL(api); got != want {
			t.Errorf("of %s it is %s", api, got)
		}
	}
}
