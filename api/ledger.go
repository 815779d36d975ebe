package api

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/ledger"
	"github.com/fairlead/fairlead/rollout"
)

// Record looks through the ledger and proves what stands in it.
type Record interface {
	Size() uint64
	Entries(ctx context.Context, from uint64, limit int) ([]fairlead.Entry, error)
	Heads(ctx context.Context, before uint64, limit int) ([]fairlead.Entry, error) // newest first, without data and rows
	Inclusion(ctx context.Context, seq uint64) (ledger.Inclusion, error)
	Checkpoint(ctx context.Context) ([]byte, error) // nil before the first entry
	VerifierKey() string
}

// Verifier verifies the server's own ledger, one time after the other.
type Verifier interface {
	Newest() client.Verification
	// Begin begins one, unless one is running, and returns how it stands.
	Begin(by fairlead.Principal) (client.Verification, error)
}

func (s *server) registerLedger(api huma.API) {
	register(api, http.MethodGet, "/v1/ledger/entries", "listEntries", "Entries of the ledger, newest first",
		func(ctx context.Context, in *recordInput) (client.Record, error) { return s.entries(ctx, in) })
	register(api, http.MethodGet, "/v1/ledger/entries/{seq}", "getEntry", "One entry of the ledger, with its proof",
		func(ctx context.Context, in *struct {
			Seq uint64 `path:"seq" doc:"its position, from 0"`
		}) (client.Proven, error) {
			return s.proven(ctx, in.Seq)
		})
	register(api, http.MethodGet, "/v1/ledger/checkpoint", "getCheckpoint", "The newest signed checkpoint",
		func(ctx context.Context, _ *struct{}) (client.Signed, error) { return s.signed(ctx) })
	register(api, http.MethodGet, "/v1/ledger/verification", "getVerification", "The newest verification of the whole ledger",
		func(context.Context, *struct{}) (client.Verification, error) { return s.Verifier.Newest(), nil })
	register(api, http.MethodPost, "/v1/ledger/verification", "verifyLedger", "Verify the whole ledger",
		func(ctx context.Context, _ *struct{}) (client.Verification, error) {
			return s.Verifier.Begin(principal(ctx))
		})
}

// recordInput is client.RecordQuery as parameters.
type recordInput struct {
	App       string `query:"app" maxLength:"253"`
	Env       string `query:"env" maxLength:"253"`
	Kind      string `query:"kind" maxLength:"1024" doc:"a kind, or with a dot at its end all that begin with it, such as rollout."`
	Principal string `query:"principal" maxLength:"1024" doc:"who acted, by the name that entries show"`
	From      string `query:"from" maxLength:"40" doc:"a time (RFC 3339) or a day (2026-03-01, UTC): entries of then or later"`
	Until     string `query:"until" maxLength:"40" doc:"a time: entries before it; or a day: entries to its end"`
	Before    string `query:"before" maxLength:"20" doc:"entries before this position"`
	Limit     string `query:"limit" maxLength:"20" doc:"how many at most, 1 to 200; 50 by default"`
}

// Resolve refuses parameters that there are not, and those that are given twice: a
// misspelled filter would show everything. It is a huma.Resolver.
func (*recordInput) Resolve(ctx huma.Context) []error {
	u := ctx.URL()
	given, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return []error{fmt.Errorf("the query is malformed")}
	}
	known := []string{"app", "env", "kind", "principal", "from", "until", "before", "limit"}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if !slices.Contains(known, name) {
			return []error{fmt.Errorf("there is no parameter %q; there are %s", name, strings.Join(known, ", "))}
		}
		if len(given[name]) > 1 {
			return []error{fmt.Errorf("%s is given %d times", name, len(given[name]))}
		}
	}
	return nil
}

func (in *recordInput) query() (query, error) {
	q := query{app: in.App, env: in.Env, kind: in.Kind, principal: in.Principal, limit: defaultFound}
	var err error
	if q.from, err = moment("from", in.From, 0); err != nil {
		return q, err
	}
	if q.until, err = moment("until", in.Until, 24*time.Hour); err != nil {
		return q, err
	}
	if in.Before != "" {
		if q.before, err = strconv.ParseUint(in.Before, 10, 63); err != nil {
			return q, unfit("before", in.Before, "a position in the ledger")
		}
	}
	if in.Limit != "" {
		if q.limit, err = strconv.Atoi(in.Limit); err != nil || q.limit < 1 || q.limit > mostFound {
			return q, unfit("limit", in.Limit, fmt.Sprintf("a number from 1 to %d", mostFound))
		}
	}
	return q, nil
}

// moment reads a time, or a day and what of it counts.
func moment(name, text string, day time.Duration) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if t, err := time.Parse(time.DateOnly, text); err == nil {
		return t.Add(day), nil
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return t, unfit(name, text, "a time such as 2026-03-01T12:00:00Z, or a day such as 2026-03-01")
	}
	return t, nil
}

func unfit(name, text, want string) error {
	return fairlead.Errorf(fairlead.Invalid, "look through the ledger", "%s=%q is not %s", name, text, want)
}

// entries answers a search with entries as events, without their data.
func (s *server) entries(ctx context.Context, in *recordInput) (client.Record, error) {
	q, err := in.query()
	if err != nil {
		return client.Record{}, err
	}
	open := s.opener(ctx)
	search := searched{record: s.Record, open: open, query: q}
	if err := s.search(ctx, &search); err != nil {
		return client.Record{}, err
	}
	found := client.Record{Size: search.size, Entries: []client.Event{}, Looked: search.looked, Next: search.next, More: search.more}
	if !found.More {
		found.Next = 0
	}
	whole, err := s.whole(ctx, search.matches)
	for _, e := range whole {
		event := viewEvent(e, open)
		event.Data = nil
		found.Entries = append(found.Entries, event)
	}
	return found, err
}

// opener opens personal texts for display, each once.
func (s *server) opener(ctx context.Context) func(fairlead.Sealed) string {
	opened := map[fairlead.Sealed]string{}
	return func(sealed fairlead.Sealed) string {
		text, ok := opened[sealed]
		if !ok {
			text = s.Open(ctx, sealed)
			opened[sealed] = text
		}
		return text
	}
}

// whole reads entries of which the heads are known. Neighbours are read at once.
func (s *server) whole(ctx context.Context, heads []fairlead.Entry) ([]fairlead.Entry, error) {
	var list []fairlead.Entry
	for len(heads) > 0 {
		n := 1
		for n < len(heads) && heads[n].Seq+1 == heads[n-1].Seq {
			n++
		}
		run, err := s.Record.Entries(ctx, heads[n-1].Seq, n)
		if err != nil {
			return nil, err
		}
		slices.Reverse(run)
		list = append(list, run...)
		heads = heads[n:]
	}
	return list, nil
}

// proven returns an entry with its proof. A proof that does not hold is no error: what
// is wrong is a part of the answer.
func (s *server) proven(ctx context.Context, seq uint64) (client.Proven, error) {
	list, err := s.Record.Entries(ctx, min(seq, 1<<62), 1)
	if err != nil {
		return client.Proven{}, err
	}
	if len(list) == 0 || list[0].Seq != seq {
		return client.Proven{}, s.noEntry(seq)
	}
	e, open := list[0], s.opener(ctx)
	p := client.Proven{Entry: viewEvent(e, open), Key: s.Record.VerifierKey(), Path: []client.ProofStep{}}
	if why := reasonOf(e); why != "" {
		p.Reason = open(why)
	}
	for _, row := range e.Rows {
		p.Rows = append(p.Rows, client.SetRow{Kind: row.Kind, Key: row.Key, Deleted: row.Value == nil})
	}
	p.Rollout, p.Release = concerns(e)
	if f, ok := ledger.FactsRefOf(e.Data); ok {
		p.Facts = &client.FactsTaken{Stream: f.Stream, N: f.N, Digest: string(f.Digest)}
	}
	proof, err := s.Record.Inclusion(ctx, seq)
	if err != nil && fairlead.CodeOf(err) != fairlead.Corrupt {
		return p, err
	}
	if err == nil {
		err = prove(&p, proof)
	}
	p.Holds = err == nil
	if err != nil {
		p.Problem = err.Error()
	}
	return p, nil
}

// concerns returns which rollout and which release an entry is about, where it says so.
func concerns(e fairlead.Entry) (rolloutID, release string) {
	var data struct {
		Rollout string `json:"rollout"`
		Release string `json:"release"`
		Target  string `json:"target"` // of a shift, its rollout
	}
	_ = json.Unmarshal(e.Data, &data) // an entry without these fields concerns none
	rolloutID, release = data.Rollout, data.Release
	if strings.HasPrefix(e.Kind, "traffic.") {
		rolloutID = data.Target
	}
	for _, row := range e.Rows {
		var r struct {
			To int `json:"to"`
		}
		if row.Kind != rollout.RolloutRow || json.Unmarshal(row.Value, &r) != nil {
			continue
		}
		rolloutID = row.Key
		if r.To > 0 {
			release = fmt.Sprintf("%s@%d", e.Site.App, r.To)
		}
	}
	return rolloutID, release
}

// noEntry says that seq is not there: it is to come, or it was taken away.
func (s *server) noEntry(seq uint64) error {
	const op = "find entry"
	if size := s.Record.Size(); seq >= size {
		return fairlead.Errorf(fairlead.NotFound, op, "the ledger has no entry %d: it has %d, counted from 0", seq, size)
	}
	return fairlead.Errorf(fairlead.Corrupt, op, "entry %d is missing: it was taken out of the database", seq).
		WithHint("run fairlead ledger verify, which says what was changed; keep a copy, and restore the newest backup")
}

// prove fills p with a proof, and returns why it does not hold, or nil.
func prove(p *client.Proven, proof ledger.Inclusion) error {
	b64 := base64.StdEncoding.EncodeToString
	p.Commitment, p.Leaf, p.Checkpoint = b64(proof.Commitment[:]), proof.Commitment.Hash().String(), string(proof.Checkpoint)
	c, err := proof.Check(p.Key)
	p.Size = c.Size
	if c.Size > 0 {
		p.Root = c.Root.String()
	}
	for _, step := range proof.Steps(c.Size) {
		side := "right"
		if step.Left {
			side = "left"
		}
		p.Path = append(p.Path, client.ProofStep{Hash: step.Sibling.String(), Side: side, Sum: step.Sum.String()})
	}
	return err
}

// reasonOf returns what a person gave as the reason of a decision, or "": it stands in
// the newest note of the rollout that the entry sets.
func reasonOf(e fairlead.Entry) fairlead.Sealed {
	for _, row := range e.Rows {
		var r struct {
			Notes []rollout.Note `json:"notes"`
		}
		if row.Kind == rollout.RolloutRow && row.Value != nil && json.Unmarshal(row.Value, &r) == nil && len(r.Notes) > 0 {
			return r.Notes[len(r.Notes)-1].Why
		}
	}
	return ""
}

func (s *server) signed(ctx context.Context) (client.Signed, error) {
	signed := client.Signed{Key: s.Record.VerifierKey(), KeyFile: s.Version().State + "/ledger.vkey"}
	note, err := s.Record.Checkpoint(ctx)
	if err != nil || note == nil {
		return signed, err
	}
	c, err := ledger.OpenCheckpoint(note, signed.Key)
	if err != nil {
		return signed, err
	}
	signed.Checkpoint, signed.Size, signed.Root = string(note), c.Size, c.Root.String()
	return signed, nil
}
