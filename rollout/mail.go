package rollout

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/fairlead/fairlead"
)

// mail holds the reports that came and are not recorded yet. Who brought them
// waits, so that what was answered is never lost.
type mail struct {
	mu      sync.Mutex
	letters []*letter // oldest first
	held    int       // reports in them
}

// letter is what one call reports of one rollout.
type letter struct {
	rollout string
	reports []fairlead.LateReport
	which   []int      // of the call's values, one for each report
	settled chan error // gets nil when the reports are recorded, else why they never will be
}

const (
	mailMost    = 100_000 // reports that wait at most
	letterMost  = 10_000  // of one rollout that are recorded at once
	mailPatient = 10 * time.Second
)

// Report takes values of requests that were answered, and returns what became of
// each. It returns when those that are taken are recorded: what it took counts, also
// after a crash. What is reported again counts once. An error is of code unavailable,
// with which some may be recorded, or that of a principal who may not report. It is
// safe for concurrent use, beside Run.
func (l *Loop) Report(ctx context.Context, told []Told, by fairlead.Principal) ([]Receipt, error) {
	if !by.May(fairlead.Reporter) {
		return nil, fairlead.Errorf(fairlead.Forbidden, opReport, "this needs the role %s", fairlead.Reporter)
	}
	receipts := make([]Receipt, len(told))
	letters := map[string]*letter{}
	now := lateReports{}
	for i, t := range told {
		id, report, repeated, err := l.Engine.receive(t)
		receipts[i] = Receipt{Repeated: repeated || err == nil && now.has(report), Err: err}
		if err != nil || receipts[i].Repeated {
			continue
		}
		now.take([]fairlead.LateReport{report})
		if letters[id] == nil {
			letters[id] = &letter{rollout: id, settled: make(chan error, 1)}
		}
		letters[id].reports, letters[id].which = append(letters[id].reports, report), append(letters[id].which, i)
	}
	ctx, cancel := context.WithTimeout(ctx, mailPatient)
	defer cancel()
	for _, one := range letters {
		if err := l.deliver(one); err != nil {
			return nil, err
		}
		defer l.mail.withdraw(one)
	}
	for _, one := range letters {
		select {
		case err := <-one.settled:
			for _, i := range one.which {
				receipts[i].Err = err
			}
		case <-ctx.Done():
			return nil, errNotRecorded
		}
	}
	return receipts, nil
}

var errNotRecorded = fairlead.Errorf(fairlead.Unavailable, opReport, "the reports could not be recorded in time").
	WithHint("send them again: what is recorded already counts once")

// deliver puts a letter into the mail and wakes the loop.
func (l *Loop) deliver(one *letter) error {
	m := &l.mail
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.held+len(one.reports) > mailMost {
		return fairlead.Errorf(fairlead.Unavailable, opReport, "%d reports wait to be recorded already", m.held).
			WithHint("send them again in some seconds")
	}
	m.letters = append(m.letters, one)
	m.held += len(one.reports)
	l.poke()
	return nil
}

// of returns the letters of a rollout that are recorded next. They stay until they
// are settled or withdrawn.
func (m *mail) of(rollout string) []*letter {
	m.mu.Lock()
	defer m.mu.Unlock()
	var next []*letter
	for n, i := 0, 0; i < len(m.letters) && n < letterMost; i++ {
		if one := m.letters[i]; one.rollout == rollout {
			next = append(next, one)
			n += len(one.reports)
		}
	}
	return next
}

func reportsOf(letters []*letter) []fairlead.LateReport {
	var all []fairlead.LateReport
	for _, one := range letters {
		all = append(all, one.reports...)
	}
	return all
}

// settle tells those who wait what became of their letters.
func (m *mail) settle(letters []*letter, err error) {
	for _, one := range letters {
		if m.withdraw(one) {
			one.settled <- err
		}
	}
}

// withdraw takes a letter out, and reports whether it was there.
func (m *mail) withdraw(one *letter) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	i := slices.Index(m.letters, one)
	if i < 0 {
		return false
	}
	m.letters = slices.Delete(m.letters, i, i+1)
	m.held -= len(one.reports)
	return true
}

// returnEnded settles the letters of rollouts that nothing is fed to any more.
func (m *mail) returnEnded(moving func(rollout string) bool) {
	m.mu.Lock()
	letters := slices.Clone(m.letters)
	m.mu.Unlock()
	for _, one := range letters {
		if !moving(one.rollout) {
			m.settle([]*letter{one}, tooLate(one.rollout, one.reports))
		}
	}
}
