package api

import (
	"encoding/json"
	"io"
	"math"
	"net/http"
	"strconv"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/rollout"
)

// maxBlob is the largest file of an artifact, in bytes.
const maxBlob = 20 << 30

func (s *server) putBlob(w http.ResponseWriter, r *http.Request) {
	digest := fairlead.Digest(r.PathValue("digest"))
	if !principal(r.Context()).May(fairlead.Operator) {
		refuse(w, fairlead.Errorf(fairlead.Forbidden, "upload", "this needs the role %s", fairlead.Operator))
		return
	}
	if err := s.Blobs.PutExpect(r.Context(), digest, http.MaxBytesReader(w, r.Body, maxBlob)); err != nil {
		refuse(w, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (s *server) getBlob(w http.ResponseWriter, r *http.Request) {
	blob, err := s.Blobs.Open(fairlead.Digest(r.PathValue("digest")))
	if err != nil {
		refuse(w, err)
		return
	}
	defer blob.Close()
	w.Header().Set("Content-Type", "application/octet-stream")
	if _, err := io.Copy(w, blob); err != nil {
		panic(http.ErrAbortHandler) // so that the caller sees that the answer is not whole
	}
}

// eventsAtOnce is how many entries are read from the ledger at a time.
const eventsAtOnce = 500

// events writes the ledger's entries, a line each: the newest ones of a number, or
// those from a position on.
func (s *server) events(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	from, err := s.firstEvent(r)
	if err != nil {
		refuse(w, err)
		return
	}
	follow := follows(r)
	lines, begun := newLines(w), false
	open := func(sealed fairlead.Sealed) string { return s.Open(ctx, sealed) }
	for {
		entries, err := s.Ledger.Entries(ctx, from, eventsAtOnce)
		switch {
		case err != nil && begun:
			panic(http.ErrAbortHandler) // so that the caller sees that the answer is not whole
		case err != nil:
			refuse(w, err)
			return
		}
		for _, e := range entries {
			if err := lines.write(viewEvent(e, open)); err != nil {
				return
			}
			from, begun = e.Seq+1, true
		}
		if len(entries) > 0 {
			continue
		}
		if !follow || s.Ledger.Wait(ctx, from) != nil {
			return
		}
	}
}

// firstEvent returns the position of the first entry that is wanted.
func (s *server) firstEvent(r *http.Request) (uint64, error) {
	q, size := r.URL.Query(), s.Ledger.Size()
	name, most := "from", uint64(math.MaxInt64)
	if q.Has("tail") {
		name, most = "tail", math.MaxInt32
	}
	n, err := strconv.ParseUint(q.Get(name), 10, 64)
	if err != nil || n > most {
		return 0, fairlead.Errorf(fairlead.Invalid, "events", "%s=%q is not a number of entries", name, q.Get(name))
	}
	if name == "tail" {
		return size - min(n, size), nil
	}
	return n, nil
}

func viewEvent(e fairlead.Entry, open func(fairlead.Sealed) string) client.Event {
	return client.Event{
		Seq: e.Seq, Time: e.Time, Kind: e.Kind, App: e.Site.App, Env: e.Site.Env,
		Principal: open(e.Principal), Text: sentence(e), Data: rollout.Shown(e.Data),
	}
}

// lines writes JSON values, a line each, and sends each at once.
type lines struct {
	enc     *json.Encoder
	control *http.ResponseController
}

func newLines(w http.ResponseWriter) lines {
	w.Header().Set("Content-Type", "application/x-ndjson")
	return lines{enc: json.NewEncoder(w), control: http.NewResponseController(w)}
}

func (l lines) write(v any) error {
	if err := l.enc.Encode(v); err != nil {
		return err
	}
	return l.control.Flush()
}
