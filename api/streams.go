package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"sync"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/rollout"
	"github.com/fairlead/fairlead/workload"
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
	follow := r.URL.Query().Get("follow") == "true"
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

// logs writes the log lines of a site's instances, each with its instance.
func (s *server) logs(w http.ResponseWriter, r *http.Request) {
	options, err := logOptions(r)
	if err != nil {
		refuse(w, err)
		return
	}
	ids, err := s.logged(r)
	if err != nil {
		refuse(w, err)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	out := &prefixed{w: w, control: http.NewResponseController(w)}
	var readers sync.WaitGroup
	for _, id := range ids {
		if !options.Follow {
			_ = s.Instances.Logs(r.Context(), id, options, out.of(id)) // an ended instance's log may be gone
			continue
		}
		readers.Go(func() { _ = s.Instances.Logs(r.Context(), id, options, out.of(id)) })
	}
	readers.Wait()
}

func logOptions(r *http.Request) (workload.LogOptions, error) {
	q := r.URL.Query()
	tail, err := strconv.Atoi(q.Get("tail"))
	if q.Get("tail") != "" && (err != nil || tail < 0) {
		return workload.LogOptions{}, fairlead.Errorf(fairlead.Invalid, "logs", "tail=%q is not a number of lines", q.Get("tail"))
	}
	return workload.LogOptions{Tail: tail, Follow: q.Get("follow") == "true"}, nil
}

func (s *server) logged(r *http.Request) ([]string, error) {
	all, err := s.Instances.List(r.Context())
	if err != nil {
		return nil, err
	}
	site := fairlead.Site{App: r.PathValue("app"), Env: r.PathValue("env")}
	wanted := r.URL.Query().Get("instance")
	var ids []string
	for _, i := range all {
		if i.Site == site && (wanted == "" || wanted == i.ID) {
			ids = append(ids, i.ID)
		}
	}
	if len(ids) == 0 {
		return nil, noInstance(site, wanted)
	}
	return ids, nil
}

func noInstance(site fairlead.Site, wanted string) error {
	if wanted == "" {
		return fairlead.Errorf(fairlead.NotFound, "logs", "%s has no instances", site).WithHint("see what is where with: fairlead status")
	}
	return fairlead.Errorf(fairlead.NotFound, "logs", "%s has no instance %q", site, wanted).WithHint("see which there are with: fairlead status %s", site.App)
}

// prefixed lets several logs share an answer, whole lines at a time.
type prefixed struct {
	mu      sync.Mutex
	w       io.Writer
	control *http.ResponseController
}

func (p *prefixed) of(instance string) io.Writer { return &instanceLog{out: p, instance: instance} }

type instanceLog struct {
	out      *prefixed
	instance string
	rest     []byte
}

// Write passes on the lines that are whole.
func (l *instanceLog) Write(data []byte) (int, error) {
	l.out.mu.Lock()
	defer l.out.mu.Unlock()
	l.rest = append(l.rest, data...)
	for {
		i := bytes.IndexByte(l.rest, 0x0a)
		if i < 0 {
			break
		}
		if _, err := fmt.Fprintf(l.out.w, "%s %s", l.instance, l.rest[:i+1]); err != nil {
			return 0, err
		}
		l.rest = l.rest[i+1:]
	}
	if err := l.out.control.Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return 0, err
	}
	return len(data), nil
}
