package server

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/store/sqlite"
)

// tokenRow is the kind of the row of a token, keyed by its name.
const tokenRow = "token"

// token is the value of that row. The token itself is nowhere: only its digest is. A
// token has 256 random bits, so that no salt and no slow hash is needed.
type token struct {
	Name    string          `json:"name"` // of a program, not of a person
	Role    fairlead.Role   `json:"role"`
	Digest  string          `json:"digest"` // SHA-256, hexadecimal
	Created time.Time       `json:"created"`
	By      fairlead.Sealed `json:"by"`
}

// tokens are those that programs act by. It is safe for concurrent use.
type tokens struct {
	store *sqlite.Store
	now   func() time.Time
	open  func(ctx context.Context, s fairlead.Sealed) string

	mu       sync.Mutex
	byDigest map[string]token
}

// mostTokens bounds what is kept at hand.
const mostTokens = 1000

func openTokens(ctx context.Context, store *sqlite.Store, now func() time.Time, open func(context.Context, fairlead.Sealed) string) (*tokens, error) {
	rows, err := store.Rows(ctx, tokenRow, "")
	if err != nil {
		return nil, fmt.Errorf("read tokens: %w", err)
	}
	t := &tokens{store: store, now: now, open: open, byDigest: map[string]token{}}
	for _, row := range rows {
		var one token
		if err := json.Unmarshal(row.Value, &one); err != nil {
			return nil, fairlead.Errorf(fairlead.Corrupt, "read tokens", "token %s: %w", row.Key, err).WithHint("run: fairlead ledger verify")
		}
		t.byDigest[one.Digest] = one
	}
	return t, nil
}

// principal returns who holds the token of a request, and whether there is such a
// token. That the digest is looked up tells nothing of a token: nobody can choose it.
func (t *tokens) principal(r *http.Request) (fairlead.Principal, bool) {
	given, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	t.mu.Lock()
	defer t.mu.Unlock()
	one, known := t.byDigest[tokenDigest(given)]
	return fairlead.Principal{ID: fairlead.Sealed("token:" + one.Name), Role: one.Role}, known && bearer
}

func tokenDigest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// Create makes a token and records it before it is told.
func (t *tokens) Create(ctx context.Context, n client.NewToken, by fairlead.Principal) (client.MadeToken, error) {
	op := "create token"
	if err := t.admit(op, by); err != nil {
		return client.MadeToken{}, err
	}
	switch {
	case !fairlead.ValidName(n.Name):
		return client.MadeToken{}, fairlead.Errorf(fairlead.Invalid, op, "%q is not a name: lower-case letters, digits and -, at most 40", n.Name).
			WithHint("name the program that will hold it, such as grader")
	case n.Role != fairlead.Reporter && n.Role != fairlead.Viewer:
		return client.MadeToken{}, fairlead.Errorf(fairlead.Invalid, op, "there is no token of the role %q", n.Role).
			WithHint("the role is %s, which may report values of requests and nothing else, or %s, which may read, as a Prometheus does", fairlead.Reporter, fairlead.Viewer)
	}
	text, err := newToken()
	if err != nil {
		return client.MadeToken{}, err
	}
	made := strings.TrimSpace(string(text))
	one := token{Name: n.Name, Role: n.Role, Digest: tokenDigest(made), Created: t.now().UTC().Round(0), By: by.ID}
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, taken := t.named(n.Name); taken || len(t.byDigest) >= mostTokens {
		return client.MadeToken{}, fairlead.Errorf(fairlead.Conflict, op, "there is a token %q already, or too many", n.Name).
			WithHint("see which there are with: fairlead token list; end one with: fairlead token revoke NAME")
	}
	value, err := json.Marshal(one)
	if err != nil {
		return client.MadeToken{}, fmt.Errorf("encode token: %w", err)
	}
	said := map[string]any{"text": fmt.Sprintf("a token for %s with the role %s", one.Name, one.Role), "name": one.Name, "role": one.Role}
	if err := record(ctx, t.store, one.Created, "token.created", by.ID, said, fairlead.Row{Kind: tokenRow, Key: one.Name, Value: value}); err != nil {
		return client.MadeToken{}, err
	}
	t.byDigest[one.Digest] = one
	return client.MadeToken{Token: t.view(ctx, one), Text: made}, nil
}

// List returns the tokens by name.
func (t *tokens) List(ctx context.Context, by fairlead.Principal) ([]client.Token, error) {
	if err := t.admit("list tokens", by); err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	list := []client.Token{}
	for _, one := range t.byDigest {
		list = append(list, t.view(ctx, one))
	}
	slices.SortFunc(list, func(a, b client.Token) int { return strings.Compare(a.Name, b.Name) })
	return list, nil
}

// Revoke makes a token worthless from its record on.
func (t *tokens) Revoke(ctx context.Context, name string, by fairlead.Principal) error {
	op := "revoke token"
	if err := t.admit(op, by); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	one, known := t.named(name)
	if !known {
		return fairlead.Errorf(fairlead.NotFound, op, "there is no token %q", name).WithHint("see which there are with: fairlead token list")
	}
	said := map[string]any{"text": fmt.Sprintf("the token for %s is revoked", one.Name), "name": one.Name}
	if err := record(ctx, t.store, t.now().UTC(), "token.revoked", by.ID, said, fairlead.Row{Kind: tokenRow, Key: one.Name}); err != nil {
		return err
	}
	maps.DeleteFunc(t.byDigest, func(_ string, other token) bool { return other.Name == name })
	return nil
}

func (t *tokens) admit(op string, by fairlead.Principal) error {
	if !by.May(fairlead.Admin) {
		return fairlead.Errorf(fairlead.Forbidden, op, "this needs the role %s", fairlead.Admin)
	}
	return nil
}

func (t *tokens) named(name string) (token, bool) {
	for _, one := range t.byDigest {
		if one.Name == name {
			return one, true
		}
	}
	return token{}, false
}

func (t *tokens) view(ctx context.Context, one token) client.Token {
	return client.Token{Name: one.Name, Role: one.Role, Created: one.Created, By: t.open(ctx, one.By)}
}
