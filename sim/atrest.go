package sim

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"

	"github.com/fairlead/fairlead/ledger"
	"github.com/fairlead/fairlead/ledger/verify"
	"github.com/fairlead/fairlead/rollout"
	"github.com/fairlead/fairlead/workload"
)

// atRest checks a world in which nothing is left to be done.
func (u *universe) atRest() {
	u.world.say("everything is at rest")
	p := u.promises
	for id := range p.intents {
		p.breaks("every intent is closed", "%s is open", id)
	}
	for _, s := range u.sites {
		u.outcomes(s)
		u.instancesAtRest(s)
		u.trafficAtRest(s)
	}
	u.evidenceAtRest()
	u.records()
	u.report.Simulated = u.world.now
	u.report.Entries = len(u.store.entries)
	u.report.Root = u.store.tree.Root().String()
	u.report.Calm = u.controls == 1
}

// outcomes checks what became of each release.
func (u *universe) outcomes(s *site) {
	for _, r := range u.promises.rollouts {
		if r.Site != s.id {
			continue
		}
		script := s.script(r.To)
		if r.Phase != rollout.Ended || r.Outcome == "" {
			u.promises.breaks("everything comes to rest", "rollout %s of %s@%d is %s", r.ID, s.id.App, r.To, r.Phase)
		}
		if r.Outcome == rollout.Promoted && r.Kind == rollout.Forward && r.From != 0 && r.From != r.To && u.mustNotPass(s, r) {
			u.promises.breaks("no silent pass", "%s@%d, which is %s, was promoted after %s", s.id.App, r.To, script.kind, s.script(r.From).kind)
		}
	}
}

// mustNotPass reports whether a release is so much worse than the one before it
// that no chance explains its promotion.
func (u *universe) mustNotPass(s *site, r rollout.Rollout) bool {
	from, to := s.script(r.From), s.script(r.To)
	broken := to.kind == "broken" && from.failing < 0.1 && from.dies == 0
	return to.never() || broken && !unjudged(r)
}

// instancesAtRest checks that the live release has its instances, and nothing else
// runs.
func (u *universe) instancesAtRest(s *site) {
	live := u.promises.live[s.id]
	count := map[int]int{}
	for _, i := range u.machine.running() {
		if i.status.Site == s.id {
			count[i.status.Release]++
		}
	}
	p := u.promises
	for _, i := range u.machine.instances {
		if i.status.Site == s.id && i.lingers && live.Exclusive {
			p.breaks("the world is as decided", "what instance %s ran is still there, and in the way", i.status.ID)
		}
	}
	for release, n := range count {
		if release != live.Stable || n != live.Replicas {
			u.promises.breaks("the world is as decided", "%s has %d instances of release %d; live is %d with %d", s.id, n, release, live.Stable, live.Replicas)
		}
	}
	if live.Stable > 0 && count[live.Stable] == 0 && live.Replicas > 0 {
		u.promises.breaks("the world is as decided", "%s has no instance of release %d", s.id, live.Stable)
	}
}

// trafficAtRest checks that the gateway sends everything to the live release.
func (u *universe) trafficAtRest(s *site) {
	live := u.promises.live[s.id]
	for _, r := range u.promises.force.Routes {
		if r.Site != s.id {
			continue
		}
		if r.Stable.Release != live.Stable || r.Split != nil {
			u.promises.breaks("the world is as decided", "%s goes to release %d, split %v; live is %d", s.id, r.Stable.Release, r.Split, live.Stable)
		}
		for _, i := range r.Stable.Instances {
			if got := u.machine.instances[i.ID]; got == nil || got.status.State != workload.Ready && got.script.dies == 0 {
				u.promises.breaks("the world is as decided", "%s goes to instance %s, which is not ready", s.id, i.ID)
			}
		}
		return
	}
	if live.Stable > 0 {
		u.promises.breaks("the world is as decided", "%s has no route", s.id)
	}
}

// evidenceAtRest checks that the gateway keeps nothing that nobody takes.
func (u *universe) evidenceAtRest() {
	if u.gate.core == nil {
		u.promises.breaks("everything comes to rest", "the gateway is down")
	}
	blocks, err := u.gate.core.Blocks(1 << 20)
	if err != nil || len(blocks) > 20*len(u.sites) {
		u.promises.breaks("everything comes to rest", "the gateway keeps %d blocks, %v", len(blocks), err)
	}
}

// records checks the ledger as an auditor would, and that the same state comes
// from it again.
func (u *universe) records() {
	p, ctx := u.promises, context.Background()
	signer, verifier, err := ledger.NewKey()
	if err != nil {
		panic(err)
	}
	key, err := ledger.NewSigner(signer)
	if err != nil {
		panic(err)
	}
	note, err := key.Sign(&u.store.tree)
	if err != nil {
		panic(err)
	}
	u.store.signed = [][]byte{note}
	result, err := verify.Check(ctx, u.store, verify.Options{VerifierKey: verifier})
	if err != nil || !result.OK() {
		p.breaks("the ledger verifies", "%v %v", err, result.Findings)
	}
	replayed, err := rollout.Replay(ctx, u.store)
	if err != nil || replayed.Difference != "" {
		p.breaks("replayable", "%v %s", err, replayed.Difference)
	}
	u.courses(ctx)
	if u.controls > 1 {
		return // it was opened before
	}
	if _, err := rollout.Open(ctx, u.store, u.wall, rand.Reader); err != nil {
		p.breaks("recovery", "the engine does not open: %v", err)
	}
}

// unrest says what keeps a world from coming to rest.
func (u *universe) unrest() string {
	var text strings.Builder
	for _, s := range u.sites {
		fmt.Fprintf(&text, "%s: %d of %d releases deployed", s.id, s.deployed, len(s.scripts))
		if r := u.promises.rolloutAt(s.id); r != nil {
			fmt.Fprintf(&text, ", release %d is %s at %s, held %q", r.To, r.Phase, r.Weight, r.Held)
		}
		text.WriteString("; ")
	}
	return text.String()
}
