// Package clitest is a stand-in for the control plane, for tests of the command
// line: it speaks the API's types, plays rollouts by a script, and can be told to
// fail. It decides nothing and is no model of the real server.
package clitest

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
)

// Server answers on the Unix socket of a state directory. It is safe for
// concurrent use.
type Server struct {
	Token   string           // that calls must carry; none if empty
	Gateway string           // address that Version gives
	Engine  string           // where Version says that the container engine listens
	Plays   func(int) string // script of a release whose App file names none in SCRIPT; may be nil

	http  *http.Server
	now   func() time.Time
	speed float64

	mu       sync.Mutex
	envs     []string
	app      string
	plays    []*play
	secrets  map[string]int
	tokens   []client.Token
	reported map[string]bool // trace and signal
	blobs    map[fairlead.Digest][]byte
	away     bool
	done     chan struct{}
}

// play is a rollout that runs by a script.
type play struct {
	script string
	began  time.Time
	number int
	env    string
	act    string
}

// Start serves in stateDir an app called triage in some environments, which no
// release has entered. Scripts run speed times as fast as in life.
func Start(stateDir string, speed float64, envs ...string) (*Server, error) {
	listener, err := net.Listen("unix", filepath.Join(stateDir, client.SocketName))
	if err != nil {
		return nil, err
	}
	s := &Server{Gateway: "127.0.0.1:8080", now: time.Now, speed: speed, envs: envs, app: "triage", secrets: map[string]int{}, reported: map[string]bool{}, blobs: map[fairlead.Digest][]byte{}, done: make(chan struct{})}
	s.http = &http.Server{Handler: s.routes(), ReadHeaderTimeout: time.Second}
	go func() {
		_ = s.http.Serve(listener)
		close(s.done)
	}()
	return s, nil
}

// Wait returns when the server has ended, by Close or by a call to shut down.
func (s *Server) Wait() { <-s.done }

// Newest returns the newest rollout as it is now.
func (s *Server) Newest() client.Rollout {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.plays) == 0 {
		return client.Rollout{}
	}
	return s.at(s.plays[len(s.plays)-1])
}

// Close ends the server.
func (s *Server) Close() {
	_ = s.http.Close()
	<-s.done
}

// Away makes the server answer as one that is starting does, or not any more.
func (s *Server) Away(away bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.away = away
}

// Script sets what the newest rollout does from now on.
func (s *Server) Script(script string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.plays = append(s.plays, &play{script: script, began: s.now(), number: len(s.plays) + 1, env: s.envs[len(s.envs)-1]})
}

// Blobs returns what was uploaded.
func (s *Server) Blobs() map[fairlead.Digest][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[fairlead.Digest][]byte{}
	for digest, data := range s.blobs {
		all[digest] = data
	}
	return all
}

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	handle := func(pattern string, h func(r *http.Request) (any, error)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			s.mu.Lock()
			defer s.mu.Unlock()
			v, err := any(nil), s.allowed(r)
			if err == nil {
				v, err = h(r)
			}
			answer(w, v, err)
		})
	}
	handle("GET /v1/version", s.version)
	handle("GET /v1/apps", func(*http.Request) (any, error) { return []client.App{s.theApp()}, nil })
	handle("GET /v1/apps/{app}", s.oneApp)
	handle("GET /v1/apps/{app}/releases", s.releases)
	handle("POST /v1/deploy", s.deploy)
	handle("POST /v1/deploy/progress", func(r *http.Request) (any, error) {
		deployed, err := s.deploy(r)
		if err != nil {
			return nil, err
		}
		d := deployed.(client.Deployed)
		return client.DeployStep{Deployed: &d}, nil
	})
	handle("POST /v1/promote", s.promote)
	handle("GET /v1/rollouts/{id}", s.rollout)
	handle("POST /v1/sites/{app}/{env}/{action}", s.act)
	handle("GET /v1/sites/{app}/{env}/explain", s.explain)
	handle("GET /v1/secrets/{env}", s.listSecrets)
	handle("PUT /v1/secrets/{env}/{name}", s.setSecret)
	handle("DELETE /v1/secrets/{env}/{name}", s.removeSecret)
	handle("POST /v1/signals", s.signals)
	handle("POST /v1/tokens", s.createToken)
	handle("GET /v1/tokens", func(*http.Request) (any, error) { return s.tokens, nil })
	handle("DELETE /v1/tokens/{name}", s.revokeToken)
	handle("POST /v1/console/links", s.link)
	handle("DELETE /v1/console/sessions", func(*http.Request) (any, error) { return client.EndedSessions{Ended: 2}, nil })
	handle("POST /v1/blobs/missing", s.missing)
	handle("PUT /v1/blobs/{digest}", s.putBlob)
	handle("GET /v1/events", newest)
	handle("GET /v1/sites/{app}/{env}/logs", func(*http.Request) (any, error) { return lines(logs), nil })
	handle("POST /v1/shutdown", func(*http.Request) (any, error) {
		time.AfterFunc(50*time.Millisecond, func() { _ = s.http.Close() })
		return struct{}{}, nil
	})
	return mux
}

func (s *Server) allowed(r *http.Request) error {
	switch {
	case s.away:
		return fairlead.Errorf(fairlead.Unavailable, "", "starting")
	case s.Token != "" && r.Header.Get("Authorization") != "Bearer "+s.Token:
		return fairlead.Errorf(fairlead.Unauthorized, "", "no known principal calls").WithHint("use --token-file")
	}
	return nil
}

type lines string

func answer(w http.ResponseWriter, v any, err error) {
	if text, ok := v.(lines); ok && err == nil {
		_, _ = io.WriteString(w, string(text))
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if err != nil {
		status := map[fairlead.Code]int{fairlead.Invalid: 422, fairlead.NotFound: 404, fairlead.Conflict: 409, fairlead.Unauthorized: 401, fairlead.Forbidden: 403, fairlead.Unavailable: 503}[fairlead.CodeOf(err)]
		if status == 0 {
			status = 500
		}
		w.WriteHeader(status)
		v = client.Problem{Status: status, Detail: err.Error(), Code: fairlead.CodeOf(err), Hint: fairlead.HintOf(err)}
	}
	_ = json.NewEncoder(w).Encode(v)
}

func (s *Server) version(*http.Request) (any, error) {
	return client.Version{Version: "v0.0.0-test", Go: "go1.26", Term: 1, Gateway: s.Gateway, Engine: s.Engine, API: "127.0.0.1:8090"}, nil
}

func (s *Server) oneApp(r *http.Request) (any, error) {
	if r.PathValue("app") != s.app {
		return nil, fairlead.Errorf(fairlead.NotFound, "", "there is no app %q", r.PathValue("app")).WithHint("see: fairlead status")
	}
	return s.theApp(), nil
}

func (s *Server) missing(r *http.Request) (any, error) {
	var asked []fairlead.Digest
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
		return nil, err
	}
	missing := []fairlead.Digest{}
	for _, digest := range asked {
		if _, ok := s.blobs[digest]; !ok {
			missing = append(missing, digest)
		}
	}
	return missing, nil
}

func (s *Server) putBlob(r *http.Request) (any, error) {
	data, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	if digest := fairlead.Digest(r.PathValue("digest")); fairlead.DigestOf(data) != digest {
		return nil, fairlead.Errorf(fairlead.Invalid, "", "the content is not %s", digest)
	}
	s.blobs[fairlead.Digest(r.PathValue("digest"))] = data
	return struct{}{}, nil
}

func (s *Server) listSecrets(r *http.Request) (any, error) {
	all := []client.Secret{}
	for key, version := range s.secrets {
		var env, name string
		if _, err := fmt.Sscanf(key, "%s %s", &env, &name); err == nil && env == r.PathValue("env") {
			all = append(all, client.Secret{Env: env, Name: name, Version: version})
		}
	}
	return all, nil
}

func (s *Server) setSecret(r *http.Request) (any, error) {
	var v client.SecretValue
	if err := json.NewDecoder(r.Body).Decode(&v); err != nil {
		return nil, err
	}
	env, name := r.PathValue("env"), r.PathValue("name")
	key := env + " " + name
	if v.Rotate && s.secrets[key] == 0 {
		return nil, fairlead.Errorf(fairlead.NotFound, "", "there is no secret %q in %s", name, env)
	}
	s.secrets[key]++
	s.blobs[fairlead.Digest("secret:"+name)] = v.Value
	return client.Secret{Env: env, Name: name, Version: s.secrets[key]}, nil
}

func (s *Server) removeSecret(r *http.Request) (any, error) {
	delete(s.secrets, r.PathValue("env")+" "+r.PathValue("name"))
	return struct{}{}, nil
}

// newest answers the newest events of a number.
func newest(r *http.Request) (any, error) {
	all := strings.SplitAfter(strings.TrimSuffix(events, "\n"), "\n")
	tail, err := strconv.Atoi(r.URL.Query().Get("tail"))
	if err != nil {
		tail = len(all)
	}
	return lines(strings.Join(all[len(all)-min(tail, len(all)):], "") + "\n"), nil
}

// link answers with a link that leads nowhere. Its caller is an administrator.
func (s *Server) link(r *http.Request) (any, error) {
	asked := client.NewLink{Role: fairlead.Admin}
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
		return nil, err
	}
	if asked.Role != fairlead.Viewer && asked.Role != fairlead.Admin {
		return nil, fairlead.Errorf(fairlead.Invalid, "open the console", "the console has no role %q", asked.Role).WithHint("one of: viewer, admin")
	}
	return client.Link{URL: "http://fairlead.localhost:1/login?code=once", Role: asked.Role, Expires: s.now().Add(5 * time.Minute), Seconds: 300}, nil
}
