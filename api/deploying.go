package api

import (
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
)

// deployTelling is the operation deploy for who wants to hear how far it is: lines
// of progress, then one with what became of it. What is refused before anything
// takes long is a plain problem.
func (s *server) deployTelling(w http.ResponseWriter, r *http.Request) {
	var in client.Deploy
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4<<20))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&in); err != nil {
		refuse(w, fairlead.Errorf(fairlead.Invalid, "deploy", "the call cannot be read: %w", err).WithHint("see what the call takes: POST /v1/deploy in GET /openapi.json"))
		return
	}
	t := &telling{lines: newLines(w)}
	done := make(chan struct{})
	var beats sync.WaitGroup
	beats.Go(func() { t.repeat(done) })
	rel, ro, made, err := s.Deployments.Deploy(r.Context(), in, principal(r.Context()), t.tell)
	deployed, err := s.deployed(r.Context(), rel, ro, made, err)
	close(done)
	beats.Wait()
	if begun := t.end(); err != nil && !begun {
		refuse(w, err)
		return
	}
	step := client.DeployStep{Deployed: &deployed}
	if err != nil {
		step = client.DeployStep{Problem: &asProblem(err).Problem}
	}
	_ = t.lines.write(step) // the caller may be gone
}

// telling writes progress, not more often than anybody can read, and again when
// nothing new comes: a silent connection looks like a dead one.
type telling struct {
	mu    sync.Mutex
	lines lines
	last  fairlead.Progress
	wrote time.Time
	begun bool
	ended bool // what is told after is too late
}

const (
	tellEvery   = 200 * time.Millisecond
	repeatEvery = 5 * time.Second
)

func (t *telling) tell(p fairlead.Progress) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended {
		return
	}
	fresh := p.Doing != t.last.Doing || time.Since(t.wrote) >= tellEvery
	t.last = p
	if fresh {
		t.write()
	}
}

// end ends what is told, and reports whether anything was.
func (t *telling) end() (begun bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ended = true
	return t.begun
}

func (t *telling) write() {
	t.begun, t.wrote = true, time.Now()
	_ = t.lines.write(client.DeployStep{Progress: &t.last}) // who is gone ends the call's context
}

func (t *telling) repeat(done <-chan struct{}) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-done:
			return
		case <-ticker.C:
		}
		t.mu.Lock()
		if t.begun && time.Since(t.wrote) >= repeatEvery {
			t.write()
		}
		t.mu.Unlock()
	}
}
