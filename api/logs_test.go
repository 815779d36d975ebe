package api

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/workload"
)

// crew are instances whose logs have one line each and go on until their reader ends.
type crew struct {
	mu  sync.Mutex
	all []workload.Status
}

func (c *crew) add(app, env string, release int) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	id := fmt.Sprintf("%s-%s-%d-%d", app, env, release, len(c.all))
	c.all = append(c.all, workload.Status{ID: id, Site: fairlead.Site{App: app, Env: env}, Release: release})
	return id
}

func (c *crew) List(context.Context) ([]workload.Status, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]workload.Status(nil), c.all...), nil
}

func (c *crew) Logs(ctx context.Context, id string, o workload.LogOptions, w io.Writer) error {
	line := "2026-01-02T03:04:05Z stderr  it is \"" + id + "\"\n"
	for _, part := range []string{line[:9], line[9:]} { // as it comes: not whole
		if _, err := io.WriteString(w, part); err != nil {
			return err
		}
	}
	if o.Follow {
		<-ctx.Done()
	}
	return nil
}

// logsOf serves the logs of instances without asking who calls.
func logsOf(t *testing.T, c *crew) string {
	t.Helper()
	s := &server{Config: Config{Instances: c}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/sites/{app}/{env}/logs", s.logs)
	mux.HandleFunc("GET /v1/logs", s.allLogs)
	web := httptest.NewServer(mux)
	t.Cleanup(web.Close)
	return web.URL
}

func TestLogsOfTheInstallationHaveLabels(t *testing.T) {
	c := &crew{}
	a, b := c.add("chat", "qa", 3), c.add("triage", "production", 7)
	got := read(t, logsOf(t, c)+"/v1/logs")
	want := []client.LogLine{
		{Time: "2026-01-02T03:04:05Z", App: "chat", Env: "qa", Release: 3, Instance: a, Stream: "stderr", Text: ` it is "` + a + `"`},
		{Time: "2026-01-02T03:04:05Z", App: "triage", Env: "production", Release: 7, Instance: b, Stream: "stderr", Text: ` it is "` + b + `"`},
	}
	if len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("%+v", got)
	}
	if got := read(t, logsOf(t, c)+"/v1/logs?app=triage&release=7"); len(got) != 1 || got[0] != want[1] {
		t.Errorf("of one release: %+v", got)
	}
	if got := read(t, logsOf(t, c)+"/v1/sites/chat/qa/logs?format=json"); len(got) != 1 || got[0] != want[0] {
		t.Errorf("of one site: %+v", got)
	}
}

func read(t *testing.T, url string) (all []client.LogLine) {
	t.Helper()
	answer, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	for decoder := json.NewDecoder(answer.Body); ; {
		var line client.LogLine
		if err := decoder.Decode(&line); err == io.EOF {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, line)
	}
}

func TestAFollowedStreamTakesUpInstancesThatCome(t *testing.T) {
	c := &crew{}
	first := c.add("chat", "qa", 3)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, logsOf(t, c)+"/v1/sites/chat/qa/logs?follow=1&format=json", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	lines := bufio.NewScanner(answer.Body)
	next := func() (l client.LogLine) {
		t.Helper()
		if !lines.Scan() {
			t.Fatalf("the stream ended: %v", lines.Err())
		}
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			t.Fatal(err)
		}
		return l
	}
	if l := next(); l.Instance != first {
		t.Errorf("%+v", l)
	}
	c.add("chat", "production", 3) // of another site
	came := c.add("chat", "qa", 4)
	if l := next(); l.Instance != came || l.Release != 4 {
		t.Errorf("%+v", l)
	}
}
