package rollout

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/fairlead/fairlead"
)

// coursesMost is how many courses are kept, to go on from where they are. Each is up to
// half a megabyte of samples, and while its rollout moves another judge, which remembers
// 8 bytes or so for each unit that failed or was slow.
const coursesMost = 16

// Courses reads the courses of rollouts, moving and ended. It keeps those asked for
// last, so that a call reads only what was recorded since the one before. It is safe
// for concurrent use.
type Courses struct {
	store Store

	mu   sync.Mutex
	kept []*keptCourse // the one asked for last at the end
}

// keptCourse is a course that one call at a time takes further.
type keptCourse struct {
	id     string
	turn   chan struct{} // holds a value while nobody is at it
	course *courseFold   // nil before the first
	view   Course        // of it
}

// NewCourses returns the courses of a store's rollouts.
func NewCourses(store Store) *Courses { return &Courses{store: store} }

// Of returns the course of a rollout up to its newest recorded input; the caller must
// not change what it points to. The first call for a rollout folds all of its inputs.
// The error is of code not_found where there is no such rollout, and of code corrupt
// where its inputs cannot be read. When ctx ends it is of code unavailable, and the next
// call goes on from there.
func (c *Courses) Of(ctx context.Context, id string) (Course, error) {
	recorded, began, err := storedBegun(ctx, c.store, id)
	if err != nil {
		return Course{}, err
	}
	k := c.keep(id)
	select {
	case <-k.turn:
		defer func() { k.turn <- struct{}{} }()
	case <-ctx.Done():
		return Course{}, unread(ctx, id)
	}
	if k.course == nil {
		k.course = newCourse(began)
	}
	for fact, err := range c.store.Facts(ctx, id, k.course.machine.facts+1) {
		if ctx.Err() != nil {
			return Course{}, unread(ctx, id)
		}
		if err == nil {
			err = k.course.take(fact)
		}
		if err != nil {
			return Course{}, fmt.Errorf("course of rollout %s: %w", id, err)
		}
	}
	return k.shown(recorded), nil
}

func unread(ctx context.Context, id string) error {
	return fairlead.Errorf(fairlead.Unavailable, "read the course of rollout "+id, "its recorded inputs are many, and are still being read: %w", ctx.Err()).
		WithHint("ask again: it goes on from where it is")
}

// shown returns the course as it stands, which is computed once for each input.
func (k *keptCourse) shown(recorded Rollout) Course {
	if k.view.Rollout.ID == "" || k.view.Inputs != k.course.machine.facts {
		k.view = k.course.view()
	}
	v := k.view
	v.Differs = k.course.differs(recorded)
	return v
}

// keep returns a rollout's place, and forgets the one that was not asked for longest.
func (c *Courses) keep(id string) *keptCourse {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := &keptCourse{id: id, turn: make(chan struct{}, 1)}
	k.turn <- struct{}{}
	if i := slices.IndexFunc(c.kept, func(k *keptCourse) bool { return k.id == id }); i >= 0 {
		k = c.kept[i]
		c.kept = slices.Delete(c.kept, i, i+1)
	}
	c.kept = append(c.kept, k)
	c.kept = slices.Delete(c.kept, 0, max(0, len(c.kept)-coursesMost))
	return k
}
