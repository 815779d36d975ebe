package rollout_test

import (
	"context"
	"encoding/json"
	"iter"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/rollout"
)

// altered is a store whose facts are changed as they are read.
type altered struct {
	rollout.Store
	change func(n uint64, f *fairlead.Fact) (keep bool)
}

func (a altered) Facts(ctx context.Context, stream string, from uint64) iter.Seq2[fairlead.Fact, error] {
	return func(yield func(fairlead.Fact, error) bool) {
		for f, err := range a.Store.Facts(ctx, stream, from) {
			if !a.change(f.N, &f) {
				continue
			}
			if !yield(f, err) {
				return
			}
		}
	}
}

// retold is a store in which a rollout's first note after its beginning is another.
type retold struct{ rollout.Store }

func (r retold) Rows(ctx context.Context, kind, prefix string) ([]fairlead.Row, error) {
	rows, err := r.Store.Rows(ctx, kind, prefix)
	for i := range rows {
		var told rollout.Rollout
		if kind != rollout.RolloutRow || json.Unmarshal(rows[i].Value, &told) != nil || len(told.Notes) < 2 {
			continue
		}
		told.Notes[1].Text = "another version decided this"
		rows[i].Value, _ = json.Marshal(told)
	}
	return rows, err
}

func TestACourseSaysWhereItIsNotAsRecorded(t *testing.T) {
	b := newBench(t)
	b.first()
	id := b.begin(2).ID
	b.second(id, 0, 0)
	c, err := rollout.NewCourses(retold{b.store}).Of(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(c.Differs, "another version decided this") {
		t.Errorf("it differs by %q, want what is recorded", c.Differs)
	}
}

func TestThePersonsReasonIsNotInACourse(t *testing.T) {
	b := newBench(t)
	b.first()
	id := b.begin(2).ID
	b.second(id, 0, 0)
	if _, err := b.engine.Act(t.Context(), site, rollout.Ask{Command: rollout.Pause, Why: "sealed:because"}, admin); err != nil {
		t.Fatal(err)
	}
	c := b.course(id)
	if last := c.Marks[len(c.Marks)-1]; last.Kind != "rollout.paused" || strings.Contains(last.Text, "because") {
		t.Errorf("the newest mark is %+v, want the pause without its reason", last)
	}
}

func TestACourseGoesOnFromWhereItWas(t *testing.T) {
	b := newBench(t)
	b.first()
	id := b.begin(2).ID
	read := 0
	courses := rollout.NewCourses(altered{b.store, func(uint64, *fairlead.Fact) bool { read++; return true }})
	for range 20 {
		b.second(id, 0, 0)
		if _, err := courses.Of(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	if inputs := int(b.course(id).Inputs); read != inputs {
		t.Errorf("%d inputs were read for 20 courses, want each of %d once", read, inputs)
	}
}

func TestWhoGoesAwayFromALongCourseLeavesItWhole(t *testing.T) {
	b := newBench(t)
	b.first()
	id := b.begin(2).ID
	for range 20 {
		b.second(id, 0, 0)
	}
	ctx, cancel := context.WithCancel(t.Context())
	courses := rollout.NewCourses(altered{b.store, func(n uint64, _ *fairlead.Fact) bool {
		if n == 10 {
			cancel()
		}
		return true
	}})
	if _, err := courses.Of(ctx, id); fairlead.CodeOf(err) != fairlead.Unavailable {
		t.Errorf("a call whose context ended: %v, want unavailable", err)
	}
	got, err := courses.Of(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if want := b.course(id); !reflect.DeepEqual(got, want) {
		t.Errorf("the course after it is\n%+v\nwant\n%+v", got, want)
	}
}

func TestManyAskForManyCoursesAtOnce(t *testing.T) {
	b := newBench(t)
	b.first()
	var ids []string
	for n := range 10 {
		id := b.begin(2 + n).ID
		for range 3 {
			b.second(id, 0, 0)
		}
		if _, err := b.engine.Act(t.Context(), site, rollout.Ask{Command: rollout.Abort}, admin); err != nil {
			t.Fatal(err)
		}
		b.until(id, 0, 0, ended)
		ids = append(ids, id)
	}
	courses := rollout.NewCourses(b.store)
	var all sync.WaitGroup
	for range 4 {
		for _, id := range ids {
			all.Go(func() {
				got, err := courses.Of(t.Context(), id)
				if err != nil {
					t.Error(err)
				} else if want := b.course(id); !reflect.DeepEqual(got, want) {
					t.Errorf("the course of %s is not the same for all", id)
				}
			})
		}
	}
	all.Wait()
}

// leaving is a store whose caller goes away when it has read how a rollout began.
type leaving struct {
	rollout.Store
	leave func()
}

func (l leaving) Rows(ctx context.Context, kind, prefix string) ([]fairlead.Row, error) {
	rows, err := l.Store.Rows(ctx, kind, prefix)
	if kind == rollout.BeganRow && ctx.Done() != nil {
		l.leave()
	}
	return rows, err
}

func TestWhoGoesAwayDoesNotWaitForAnothersLook(t *testing.T) {
	b := newBench(t)
	b.first()
	id := b.begin(2).ID
	b.second(id, 0, 0)
	at, on := make(chan struct{}), make(chan struct{})
	var arrive sync.Once
	slow := altered{b.store, func(uint64, *fairlead.Fact) bool { arrive.Do(func() { close(at) }); <-on; return true }}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	courses := rollout.NewCourses(leaving{slow, cancel})
	var others sync.WaitGroup
	others.Go(func() { _, _ = courses.Of(context.Background(), id) }) // its context never ends
	<-at
	left := make(chan error, 1)
	others.Go(func() {
		_, err := courses.Of(ctx, id)
		left <- err
	})
	select {
	case err := <-left:
		if fairlead.CodeOf(err) != fairlead.Unavailable {
			t.Errorf("who goes away gets %v, want unavailable", err)
		}
	case <-time.After(20 * time.Second):
		t.Error("who goes away waits for another's look")
	}
	close(on)
	others.Wait()
}
