package steadyclock_test

import (
	"testing"
	"time"

	"github.com/fairlead/fairlead/internal/steadyclock"
)

// machine is a machine whose clock can be set. Time passes only when it is told to.
type machine struct {
	wall time.Time
	up   time.Duration
}

func (m *machine) pass(d time.Duration) { m.wall, m.up = m.wall.Add(d), m.up+d }

func (m *machine) clock(newest time.Time) *steadyclock.Clock {
	return steadyclock.New(func() time.Time { return m.wall }, func() time.Duration { return m.up }, newest)
}

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

func newMachine() *machine { return &machine{wall: noon, up: 77 * time.Hour} }

func reads(t *testing.T, c *steadyclock.Clock, want time.Time, off time.Duration) {
	t.Helper()
	if got := c.Now(); !got.Equal(want) || c.Off() != off {
		t.Errorf("the clock says %s (the machine's is %s ahead), want %s (%s)", got, c.Off(), want, off)
	}
}

func TestAClockGoesWithTheMachines(t *testing.T) {
	m := newMachine()
	c := m.clock(time.Time{})
	reads(t, c, noon, 0)
	m.pass(90 * time.Minute)
	reads(t, c, noon.Add(90*time.Minute), 0)
}

func TestAClockThatIsSetBackWhileItRunsChangesNothing(t *testing.T) {
	m := newMachine()
	c := m.clock(noon.Add(-time.Second))
	m.pass(time.Minute)
	m.wall = m.wall.Add(-time.Hour)
	reads(t, c, noon.Add(time.Minute), -time.Hour)
	m.pass(time.Minute)
	reads(t, c, noon.Add(2*time.Minute), -time.Hour)
}

func TestAClockThatIsSetForwardWhileItRunsChangesNothing(t *testing.T) {
	m := newMachine()
	c := m.clock(noon.Add(-time.Second))
	m.pass(time.Minute)
	m.wall = m.wall.Add(time.Hour)
	reads(t, c, noon.Add(time.Minute), time.Hour)
}

func TestTimeGoesOnFromTheNewestRecordWhereTheMachinesClockWasSetBackBetweenTwoStarts(t *testing.T) {
	m := newMachine()
	before := m.clock(time.Time{})
	m.pass(time.Minute)
	newest := before.Now()
	m.wall, m.up = m.wall.Add(-time.Hour), 0 // also started anew
	c := m.clock(newest)
	reads(t, c, newest, -time.Hour)
	m.pass(10 * time.Minute)
	reads(t, c, newest.Add(10*time.Minute), -time.Hour)
}

func TestAMachinesClockThatWasSetRightIsTakenAtTheNextStart(t *testing.T) {
	m := newMachine()
	before := m.clock(time.Time{})
	m.wall = m.wall.Add(time.Hour)
	reads(t, before, noon, time.Hour)
	reads(t, m.clock(before.Now()), noon.Add(time.Hour), 0)
}

func TestTimesAreAsTheyWillBeReadAgain(t *testing.T) {
	now := steadyclock.System(time.Time{}).Now()
	text, err := now.MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	var again time.Time
	if err := again.UnmarshalText(text); err != nil || again != now {
		t.Errorf("%v was read again as %v (%v)", now, again, err)
	}
}

func TestTheMachinesClockIsNearAndGoesOn(t *testing.T) {
	c := steadyclock.System(time.Time{})
	first := c.Now()
	if off := c.Off(); off.Abs() > time.Minute {
		t.Errorf("the machine's clock is off by %s", off)
	}
	for deadline := time.Now().Add(10 * time.Second); !c.Now().After(first); {
		if time.Now().After(deadline) {
			t.Fatal("the clock stands still")
		}
	}
}
