package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/workload"
)

// newcomersEvery is how often a followed stream looks for instances that have come.
const newcomersEvery = time.Second

// logQuery is which lines are wanted, and how.
type logQuery struct {
	site     fairlead.Site // empty fields for any
	release  int           // 0 for any
	instance string        // "" for any
	json     bool          // a line of client.LogLine each; else text
	options  workload.LogOptions
}

// logs writes the log lines of a site's instances, each with its instance.
func (s *server) logs(w http.ResponseWriter, r *http.Request) {
	q, err := readLogQuery(r, r.URL.Query().Get("format") == "json")
	if err != nil {
		refuse(w, err)
		return
	}
	q.site = fairlead.Site{App: r.PathValue("app"), Env: r.PathValue("env")}
	s.writeLogs(w, r, q)
}

// allLogs writes the log lines of all instances, with labels: for log shippers.
func (s *server) allLogs(w http.ResponseWriter, r *http.Request) {
	q, err := readLogQuery(r, true)
	if err != nil {
		refuse(w, err)
		return
	}
	q.site = fairlead.Site{App: r.URL.Query().Get("app"), Env: r.URL.Query().Get("env")}
	s.writeLogs(w, r, q)
}

// follows reports whether an answer goes on until the caller ends it.
func follows(r *http.Request) bool {
	f := r.URL.Query().Get("follow")
	return f == "true" || f == "1"
}

func readLogQuery(r *http.Request, asJSON bool) (logQuery, error) {
	q := r.URL.Query()
	read := logQuery{instance: q.Get("instance"), json: asJSON, options: workload.LogOptions{Follow: follows(r)}}
	for name, into := range map[string]*int{"tail": &read.options.Tail, "release": &read.release} {
		if q.Get(name) == "" {
			continue
		}
		n, err := strconv.Atoi(q.Get(name))
		if err != nil || n < 0 {
			return read, fairlead.Errorf(fairlead.Invalid, "logs", "%s=%q is not a number", name, q.Get(name))
		}
		*into = n
	}
	return read, nil
}

func (q logQuery) wants(i workload.Status) bool {
	return (q.site.App == "" || q.site.App == i.Site.App) && (q.site.Env == "" || q.site.Env == i.Site.Env) &&
		(q.release == 0 || q.release == i.Release) && (q.instance == "" || q.instance == i.ID)
}

// writeLogs writes what the instances that are wanted wrote. A followed answer goes on
// with those that come; one of a single instance ends with it.
func (s *server) writeLogs(w http.ResponseWriter, r *http.Request, q logQuery) {
	first, err := s.wanted(r.Context(), q)
	if err != nil {
		refuse(w, err)
		return
	}
	if len(first) == 0 && !s.mayCome(q) {
		refuse(w, noInstance(q))
		return
	}
	out := &logSink{w: w, control: http.NewResponseController(w), json: q.json}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if q.json {
		w.Header().Set("Content-Type", "application/x-ndjson")
	}
	if q.options.Follow {
		out.begin()
		s.followLogs(r.Context(), q, first, out)
		return
	}
	for _, i := range first {
		_ = s.Instances.Logs(r.Context(), i.ID, q.options, out.of(i)) // an ended instance's log may be gone
	}
}

// followLogs reads the logs of the first instances and of those that come, until ctx
// ends. Where one instance alone is wanted, it ends with that one.
func (s *server) followLogs(ctx context.Context, q logQuery, first []workload.Status, out *logSink) {
	var readers sync.WaitGroup
	defer readers.Wait()
	known := map[string]bool{}
	read := func(instances []workload.Status, options workload.LogOptions) {
		for _, i := range instances {
			if !known[i.ID] {
				known[i.ID] = true
				readers.Go(func() { _ = s.Instances.Logs(ctx, i.ID, options, out.of(i)) })
			}
		}
	}
	read(first, q.options)
	if q.instance != "" {
		return
	}
	ticker := time.NewTicker(newcomersEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if now, err := s.wanted(ctx, q); err == nil { // else the next look finds them
			read(now, workload.LogOptions{Follow: true}) // of one that came there is nothing old
		}
	}
}

// wanted returns the instances whose logs are wanted.
func (s *server) wanted(ctx context.Context, q logQuery) ([]workload.Status, error) {
	all, err := s.Instances.List(ctx)
	if err != nil {
		return nil, err
	}
	var wanted []workload.Status
	for _, i := range all {
		if q.wants(i) {
			wanted = append(wanted, i)
		}
	}
	return wanted, nil
}

// mayCome reports whether an answer without instances is worth following: they may
// come at a site that there is.
func (s *server) mayCome(q logQuery) bool {
	if q.site == (fairlead.Site{}) {
		return true
	}
	if !q.options.Follow || q.instance != "" {
		return false
	}
	for _, state := range s.Engine.Sites() {
		site := state.Live.Site
		if (q.site.App == "" || q.site.App == site.App) && (q.site.Env == "" || q.site.Env == site.Env) {
			return true
		}
	}
	return false
}

func noInstance(q logQuery) error {
	where := strings.Trim(q.site.String(), "/")
	switch {
	case q.instance != "":
		return fairlead.Errorf(fairlead.NotFound, "logs", "%s has no instance %q", where, q.instance).WithHint("see which there are with: fairlead status %s", q.site.App)
	case q.release != 0:
		return fairlead.Errorf(fairlead.NotFound, "logs", "%s has no instances of release %d", where, q.release).WithHint("see what is where with: fairlead status")
	}
	return fairlead.Errorf(fairlead.NotFound, "logs", "%s has no instances", where).WithHint("see what is where with: fairlead status")
}

// logSink lets several logs share an answer, whole lines at a time.
type logSink struct {
	mu      sync.Mutex
	w       io.Writer
	control *http.ResponseController
	json    bool
}

// begin lets the caller know that the answer has begun, though no line may come for long.
func (k *logSink) begin() { _ = k.control.Flush() }

func (k *logSink) of(i workload.Status) io.Writer { return &instanceLog{out: k, from: i} }

// instanceLog takes the log of one instance.
type instanceLog struct {
	out  *logSink
	from workload.Status
	rest []byte
}

// Write passes on the lines that are whole.
func (l *instanceLog) Write(data []byte) (int, error) {
	l.out.mu.Lock()
	defer l.out.mu.Unlock()
	l.rest = append(l.rest, data...)
	for {
		line, rest, whole := bytes.Cut(l.rest, []byte("\n"))
		if !whole {
			break
		}
		if err := l.line(line); err != nil {
			return 0, err
		}
		l.rest = rest
	}
	if err := l.out.control.Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return 0, err
	}
	return len(data), nil
}

func (l *instanceLog) line(line []byte) error {
	if !l.out.json {
		_, err := fmt.Fprintf(l.out.w, "%s %s\n", l.from.ID, line)
		return err
	}
	at, rest, _ := strings.Cut(string(line), " ")
	stream, text, _ := strings.Cut(rest, " ")
	return json.NewEncoder(l.out.w).Encode(client.LogLine{
		Time: at, App: l.from.Site.App, Env: l.from.Site.Env, Release: l.from.Release, Instance: l.from.ID, Stream: stream, Text: text,
	})
}
