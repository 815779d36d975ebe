package sim

import (
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/rollout"
)

// people attend a site: they deploy its releases one after the other, and
// sometimes pause, abort or roll back. They decide by what is recorded, and say
// it again when they got no answer.
func (u *universe) people(s *site) {
	var heldSince time.Duration
	u.world.every(u.world.between(500*time.Millisecond, 2*time.Second), func() bool {
		if u.over {
			return false
		}
		r := u.promises.rolloutAt(s.id)
		if r == nil || r.Held == "" {
			heldSince = u.world.now
		}
		u.attend(s, r, u.world.now-heldSince)
		return true
	})
}

func (u *universe) attend(s *site, r *rollout.Rollout, held time.Duration) {
	switch {
	case r == nil || r.Phase == rollout.Ended && !u.world.likely(0.3) || r.Phase == rollout.Watching && u.world.likely(0.05):
		u.next(s, r)
	case r.Phase == rollout.Ended:
		if !u.settling && u.world.likely(0.05) {
			u.goBack(s)
		}
	case r.Held != "" && held > 20*time.Second:
		if r.Held == rollout.HeldInconclusive || u.world.likely(0.3) {
			u.command(s, rollout.Abort)
		} else {
			u.command(s, rollout.Resume)
		}
	case r.Held != "" && u.world.likely(0.2):
		u.command(s, rollout.Resume)
	case u.settling:
	case r.Held == "" && u.world.likely(0.01):
		u.command(s, oneOf(u.world, rollout.Pause, rollout.Abort, rollout.Rollback))
	}
}

// next deploys the site's next release, or again the one whose beginning was lost.
func (u *universe) next(s *site, r *rollout.Rollout) {
	if r != nil && r.Kind == rollout.Forward && r.To > s.deployed {
		s.deployed = r.To
	}
	if s.deployed == len(s.scripts) {
		return
	}
	u.person(func(c *control) {
		script := s.scripts[s.deployed]
		r, err := c.engine.Begin(c.ctx, script.beginning(s.id, rollout.Forward))
		u.world.say("deploy %s: %s %v", script.release.Name(), r.ID, err)
		if err == nil {
			s.deployed = script.release.Number
		}
	})
}

// goBack brings the release back that was live before.
func (u *universe) goBack(s *site) {
	live, ok := row[rollout.Live](u.store, rollout.LiveRow, s.id.String())
	if !ok || live.Previous == 0 {
		return
	}
	u.person(func(c *control) {
		r, err := c.engine.Begin(c.ctx, s.script(live.Previous).beginning(s.id, rollout.Back))
		u.world.say("roll back to %d: %s %v", live.Previous, r.ID, err)
	})
}

func (u *universe) command(s *site, what rollout.Command) {
	u.person(func(c *control) {
		_, err := c.engine.Act(c.ctx, s.id, rollout.Ask{Command: what}, fairlead.Principal{ID: "system:person", Role: fairlead.Operator})
		u.world.say("%s %s: %v", what, s.id, err)
	})
}

// person acts in the control plane, if one is up to hear it.
func (u *universe) person(do func(c *control)) {
	c := u.control
	if c == nil || c.dead || c.loop == nil || c.ctx.Err() != nil {
		return
	}
	c.spawn(func() {
		c.point("before a person")
		do(c)
		c.point("after a person")
	})
}
