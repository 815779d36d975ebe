package server

import (
	"bytes"
	"context"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/store/sqlite"
)

// desk is the tokens of a state directory, and an administrator.
type desk struct {
	*tokens
	t     *testing.T
	admin fairlead.Principal
}

func newDesk(t *testing.T) *desk {
	store, err := sqlite.Open(t.TempDir(), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return deskOf(t, store)
}

// deskOf opens what a store has, as a start does.
func deskOf(t *testing.T, store *sqlite.Store) *desk {
	all, err := openTokens(context.Background(), store, time.Now, func(_ context.Context, s fairlead.Sealed) string { return string(s) })
	if err != nil {
		t.Fatal(err)
	}
	return &desk{all, t, fairlead.Principal{ID: "system:admin", Role: fairlead.Admin}}
}

func (d *desk) make(name string) string {
	d.t.Helper()
	made, err := d.Create(context.Background(), client.NewToken{Name: name, Role: fairlead.Reporter}, d.admin)
	if err != nil {
		d.t.Fatal(err)
	}
	return made.Text
}

// knows reports whether a request with the token has a principal, and which role.
func (d *desk) knows(token string) (fairlead.Role, bool) {
	r := httptest.NewRequest("POST", "/v1/signals", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	p, known := d.principal(r)
	return p.Role, known
}

func TestATokenReportsOrReadsAndNobodyMakesOneThatChangesAnything(t *testing.T) {
	d := newDesk(t)
	if role, known := d.knows(d.make("grader")); !known || role != fairlead.Reporter {
		t.Errorf("a new token has the role %q, known %t", role, known)
	}
	for _, role := range []fairlead.Role{fairlead.Operator, fairlead.Admin, "", "root"} {
		if _, err := d.Create(context.Background(), client.NewToken{Name: "greedy", Role: role}, d.admin); fairlead.CodeOf(err) != fairlead.Invalid {
			t.Errorf("a token of the role %q: %v", role, err)
		}
	}
	if made, err := d.Create(context.Background(), client.NewToken{Name: "prometheus", Role: fairlead.Viewer}, d.admin); err != nil {
		t.Errorf("a token that reads: %v", err)
	} else if role, known := d.knows(made.Text); !known || role != fairlead.Viewer {
		t.Errorf("it has the role %q, known %t", role, known)
	}
	d.admin.Role = fairlead.Operator
	if _, err := d.Create(context.Background(), client.NewToken{Name: "mine", Role: fairlead.Reporter}, d.admin); fairlead.CodeOf(err) != fairlead.Forbidden {
		t.Errorf("an operator made a token: %v", err)
	}
}

func TestARevokedTokenIsWorthlessAtOnceAndAfterARestart(t *testing.T) {
	d := newDesk(t)
	ended, kept := d.make("ended"), d.make("kept")
	if err := d.Revoke(context.Background(), "ended", d.admin); err != nil {
		t.Fatal(err)
	}
	for _, at := range []*desk{d, deskOf(t, d.store)} {
		if _, known := at.knows(ended); known {
			t.Error("a revoked token is good")
		}
		if _, known := at.knows(kept); !known {
			t.Error("the other token is none any more")
		}
	}
}

func TestATokenItselfIsKeptNowhere(t *testing.T) {
	d := newDesk(t)
	text := d.make("grader")
	entries, err := d.store.Entries(context.Background(), 0, 100)
	if err != nil || len(entries) == 0 {
		t.Fatalf("%d entries, %v", len(entries), err)
	}
	for _, e := range entries {
		if bytes.Contains(e.Data, []byte(text)) {
			t.Errorf("the token is in the entry %s", e.Data)
		}
	}
	rows, err := d.store.Rows(context.Background(), tokenRow, "")
	if err != nil || len(rows) != 1 || bytes.Contains(rows[0].Value, []byte(text)) {
		t.Errorf("%d rows, %v: %s", len(rows), err, rows)
	}
}
