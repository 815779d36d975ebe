package rollout

import (
	"bufio"
	"cmp"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/rollout/judge"
)

var rewrite = flag.Bool("rewrite", false, "write what the scenarios print into their files")

// TestScenarios runs the transcripts under testdata/decide. A line that is not
// indented is an order to the scene; the indented lines below it are what was
// decided. Run with -rewrite to record them again, and read the difference.
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/decide/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := runScenario(t, string(want))
			if *rewrite {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != string(want) {
				t.Errorf("%s: the engine says:\n%s", file, got)
			}
		})
	}
}

var epochStart = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

type scenario struct {
	t  *testing.T
	r  Rollout
	v  fairlead.Verdict
	o  Outlook
	in Input

	silent bool // no traffic comes
	looks  guardLooks
}

func runScenario(t *testing.T, script string) string {
	s := &scenario{t: t, v: fairlead.Verdict{Finding: fairlead.Inconclusive, Needed: 20}, o: Outlook{Bound: 1}}
	s.in.Now, s.o.Traffic = epochStart, epochStart
	var out strings.Builder
	lines := bufio.NewScanner(strings.NewReader(script))
	for lines.Scan() {
		line := lines.Text()
		if strings.HasPrefix(line, "  ") {
			continue
		}
		out.WriteString(line + "\n")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		s.order(line)
		for _, said := range s.settle() {
			out.WriteString("  " + said + "\n")
		}
	}
	return out.String()
}

// order changes the scene: "+10s safe", "ready 2", "pause".
func (s *scenario) order(line string) {
	s.in.Command, s.in.Why = "", ""
	words := strings.Fields(line)
	if strings.HasPrefix(words[0], "+") {
		d, err := time.ParseDuration(words[0][1:])
		if err != nil {
			s.t.Fatalf("%q: %v", line, err)
		}
		s.in.Now = s.in.Now.Add(d)
		if !s.silent {
			s.o.Traffic = s.in.Now
		}
		words = words[1:]
	}
	if len(words) == 0 {
		return
	}
	switch word, rest := words[0], words[1:]; word {
	case "begin":
		s.begin(rest)
	case "gates":
		s.in.Gates = map[string]GateState{
			"hold": {Satisfied: true}, "fail": {Failed: "gate eval failed with exit status 1"},
			"expire": {Satisfied: true, Until: s.in.Now}, "prove": {Satisfied: true, Proven: 2},
		}[rest[0]]
	case "ready":
		s.in.New.Ready, _ = strconv.Atoi(rest[0])
	case "old": // "old 2": ready instances of the old release, or "old broken"
		if s.in.Old.Ready, _ = strconv.Atoi(rest[0]); rest[0] == "broken" {
			s.in.Old.Broken = "crash loop: exit status 1"
		}
	case "cleared": // nothing of the old release can run any more, or of the new one
		s.in.Cleared = true
	case "lately": // "lately 600 3": requests of the newest minutes, and those that failed
		s.in.Lately = &Own{P50: 10, P99: 100}
		s.in.Lately.Ended, _ = strconv.ParseUint(rest[0], 10, 64)
		s.in.Lately.Failed, _ = strconv.ParseUint(rest[1], 10, 64)
	case "broken":
		s.in.New.Broken = strings.Join(rest, " ")
	case "unable": // the machine is, to start instances of the new release; "unable" alone: it is able again
		s.in.New.Unable = strings.Join(rest, " ")
	case "kills": // "kills 2 0": instances killed for memory, of the new release and of the old one
		for i, g := range []*Group{&s.in.New, &s.in.Old} {
			g.OOMKills, _ = strconv.Atoi(rest[i])
			g.Restarts, g.Limit = g.OOMKills, "256Mi"
			g.Falls = []Fall{{Instance: "x", Times: g.OOMKills, OOMKills: g.OOMKills}}
		}
	case "safe":
		s.v = fairlead.Verdict{Finding: fairlead.Safe, Signal: "failures", E: 21, Needed: 20}
	case "harmful":
		s.v = fairlead.Verdict{Finding: fairlead.Harmful, Signal: "failures", E: 312, Needed: 300}
	case "unproven":
		s.v = fairlead.Verdict{Finding: fairlead.Inconclusive, Signal: "failures", E: 3, Needed: 20}
	case "silent":
		s.silent = true
	case "forecast": // forecast 90m rps=2 wider=40m
		s.forecast(rest)
	case "excludes": // excludes 0.1: no risk has risen by more
		s.o.Bound, _ = strconv.ParseFloat(rest[0], 64)
	case "mismatch":
		s.o.Mismatch = strings.Join(rest, " ")
	case "lease":
		s.in.Expired = rest[0] == "expired"
		if len(rest) > 1 {
			p, _ := strconv.ParseFloat(rest[1], 64)
			s.in.Fallen = fairlead.Percent(p).Weight()
		}
	case "guard": // "guard queue 7", or "guard queue blind"
		s.look(rest[0], rest[1])
	case "served": // "served 1000 5": requests of the old release, and those that failed
		s.r.Tally.Stable.Requests, _ = strconv.ParseUint(rest[0], 10, 64)
		s.r.Tally.Stable.Failed, _ = strconv.ParseUint(rest[1], 10, 64)
	case "applied":
		s.in.Applied = s.r.Epoch
	case "pause", "resume", "abort", "rollback":
		s.in.Command = Command(word)
		if len(rest) > 0 {
			s.in.Why = fairlead.Sealed("system:" + strings.Join(rest, " "))
		}
	default:
		s.t.Fatalf("unknown order %q", line)
	}
}

func (s *scenario) forecast(words []string) {
	needs := func(text string) *float64 {
		d, err := time.ParseDuration(text)
		if err != nil {
			return nil // never
		}
		seconds := d.Seconds()
		return &seconds
	}
	s.o.Forecast = judge.Forecast{Seconds: needs(words[0]), Signal: "latency p99"}
	for _, word := range words[1:] {
		switch key, value, _ := strings.Cut(word, "="); key {
		case "rps":
			s.o.Forecast.Requests, _ = strconv.ParseFloat(value, 64)
		case "wider":
			s.o.Wider = judge.Forecast{Seconds: needs(value), Requests: s.o.Forecast.Requests}
		}
	}
}

// begin starts the rollout: "begin canary from=1 steps=10,50 replicas=2 holdback=5".
func (s *scenario) begin(words []string) {
	holdback := fairlead.Percent(5)
	env := fairlead.Environment{Name: "production", Replicas: 1}
	env.Strategy = fairlead.Strategy{
		Type: words[0], Alpha: 1.0 / 300, Beta: 1.0 / 20, Holdback: &holdback, Margin: fairlead.Margin{Ratio: 2, Absolute: 0.01},
		MinStep: fairlead.Duration(5 * time.Second), MaxStep: fairlead.Duration(time.Hour),
		RollbackWindow: fairlead.Duration(30 * time.Minute),
	}
	from, kind, had := 1, Forward, 0
	for _, word := range words[1:] {
		key, value, _ := strings.Cut(word, "=")
		number, _ := strconv.Atoi(value)
		switch key {
		case "from":
			from = number
		case "replicas":
			env.Replicas = number
		case "holdback":
			holdback = fairlead.Percent(number)
		case "steps":
			for _, step := range strings.Split(value, ",") {
				p, _ := strconv.ParseFloat(step, 64)
				env.Strategy.Steps = append(env.Strategy.Steps, fairlead.Percent(p))
			}
		case "adaptive":
			env.Strategy.Adaptive = &fairlead.Adaptive{First: 5, Most: fairlead.Percent(number)}
		case "mirror":
			env.Strategy.Mirror = &fairlead.Mirror{Share: fairlead.Percent(number), Methods: []string{"GET"}}
		case "guard": // guard=queue:rollback, where at most 5 is good
			name, policy, _ := strings.Cut(value, ":")
			most := 5.0
			env.Strategy.Guards = append(env.Strategy.Guards, fairlead.Guard{Name: name, Max: &most, Failures: 3, OnBreach: policy})
		case "shrink":
			env.Strategy.Shrink = true
		case "had": // had=4: instances of the old release
			had = number
		case "inconclusive":
			env.Strategy.OnInconclusive = value
		case "kind":
			kind = Kind(value)
		default:
			s.t.Fatalf("unknown word %q", word)
		}
	}
	site := fairlead.Site{App: "triage", Env: "production"}
	s.r = newRollout(Beginning{Site: site, Release: 2, Environment: env, Kind: kind}, Live{Stable: from, Replicas: cmp.Or(had, env.Replicas)}, s.in.Now, rand.Reader)
}

// look takes a look at a guard's number, as the loop does.
func (s *scenario) look(name, said string) {
	if s.looks.all == nil {
		s.looks.all = map[string]map[string]*looked{}
	}
	guards := s.r.Strategy.Guards
	if g, _, ok := s.r.watchGuard(); ok {
		guards = append(guards, g)
	}
	s.in.Guards = nil
	for _, g := range guards {
		one := s.looks.of(s.r.ID, g.Name)
		if value, err := strconv.ParseFloat(said, 64); g.Name == name && err == nil {
			one.take(g, value, nil)
		} else if g.Name == name {
			one.take(g, 0, errors.New("the query has no result"))
		}
		s.in.Guards = append(s.in.Guards, one.GuardState)
	}
}

// settle decides until nothing more is decided, as the engine does, and starts
// evidence afresh with each epoch, as the judge does.
func (s *scenario) settle() []string {
	var said []string
	for range 20 {
		d := Decide(s.r, s.in, s.v, s.o)
		if d.Kind == "" {
			return said
		}
		if d.Rollout.Epoch != s.r.Epoch && s.v.Finding == fairlead.Safe {
			s.v = fairlead.Verdict{Finding: fairlead.Inconclusive, Needed: 20}
		}
		if d.Rollout.Epoch != s.r.Epoch || d.Kind == explained {
			s.o.Bound, s.o.Mismatch = 1, ""
		}
		s.r, s.in.Command = d.Rollout, ""
		said = append(said, fmt.Sprintf("%s: %s", d.Kind, d.Text), s.state())
	}
	s.t.Fatalf("the rollout never comes to rest: %v", said)
	return nil
}

func (s *scenario) state() string {
	text := fmt.Sprintf("  %s, step %d of %d, weight %s, epoch %d", s.r.Phase, s.r.Step, len(s.r.Weights), s.r.Weight, s.r.Epoch)
	if s.r.Held != "" {
		text += ", held: " + s.r.Held
	}
	if s.r.Queues() {
		text += ", requests wait"
	}
	if s.r.Mirroring() {
		text += ", mirroring"
	}
	if s.r.Outcome != "" {
		text += ", outcome " + string(s.r.Outcome)
	}
	live := settle(Live{Site: s.r.Site, Stable: s.r.From, Replicas: s.r.Replicas}, Rollout{}, s.r)
	return fmt.Sprintf("%s, wants %v", text, Desire(live, &s.r))
}
