package tour

import (
	"fmt"
	"io"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/cli/progress"
)

// view shows the tour: redrawn in place on a terminal, a line every two seconds
// and at each change in a pipe. It belongs to the tour's goroutine.
type view struct {
	out      io.Writer // of lines
	terminal *progress.Terminal
	load     *load // nil before there is traffic
	scene    scene
	teller   progress.Teller
	told     time.Time
	meter    meter
}

// scene is what a frame shows.
type scene struct {
	began   time.Time
	doing   string
	stage   *stage
	rollout *client.Rollout
	past    []Result
	traffic *pace
}

// pace is how the traffic goes.
type pace struct {
	perSecond float64
	sent      uint64
	failed    uint64
	lost      uint64
}

func newView(o Options) *view {
	v := &view{out: o.Out, scene: scene{began: time.Now()}}
	if o.JSON {
		v.out = o.Err
		return v
	}
	v.terminal = progress.OpenTerminal(o.Out, o.Getenv, o.Color)
	return v
}

// say tells what happens now.
func (v *view) say(text string) {
	v.scene.doing = text
	v.line(text)
	v.draw()
}

// tell tells what happens when nothing is drawn any more.
func (v *view) tell(text string) {
	if v.terminal == nil {
		v.line(text)
		return
	}
	fmt.Fprintf(v.out, "\n%s\n", text)
}

// invite shows where the console is. On a terminal that stands above what is redrawn, so
// that it can be selected.
func (v *view) invite(link client.Link) {
	v.line("the console, with every release live: " + link.URL)
	if v.terminal != nil {
		style := v.terminal.Style()
		_ = v.terminal.Above([]string{ // a view that cannot be drawn stops no tour
			style.Paint(progress.Strong, "See it live in a browser:"),
			style.Paint(progress.New, link.URL), ""})
	}
	v.draw()
}

// begin tells that a release begins.
func (v *view) begin(s stage) {
	v.scene.stage, v.scene.rollout = &s, nil
	v.teller = progress.Teller{}
	text := fmt.Sprintf("%s: %s", s.version.Name, s.version.Summary)
	if s.version.Fails != "" {
		text += "; what Fairlead is not told: " + s.version.Fails
	}
	v.scene.doing = "Deploying " + s.version.Name + "."
	v.line(text)
	v.draw()
}

// rollout shows where a rollout is.
func (v *view) rollout(r client.Rollout) {
	v.scene.rollout = &r
	v.scene.doing = r.Reason
	if v.terminal == nil {
		due := time.Since(v.told) >= lineEvery
		for _, line := range v.teller.Tell(r, due) {
			v.line("  " + line)
		}
		if due {
			v.told = time.Now()
		}
	}
	v.draw()
}

// end tells how a release ended.
func (v *view) end(r Result) {
	v.scene.past = append(v.scene.past, r)
	v.scene.stage, v.scene.rollout = nil, nil
	v.line(fmt.Sprintf("  %s %s after %.1f s; it %s", r.Release, outcomeWords(r.Outcome), r.Seconds, tookText(r)))
	v.draw()
}

func (v *view) line(text string) {
	if v.terminal != nil {
		return
	}
	elapsed := time.Since(v.scene.began).Seconds()
	traffic := ""
	if v.load != nil {
		n := &v.load.counts
		traffic = fmt.Sprintf(" [%s requests, %d lost]", progress.Count(n.sent.Load()), n.lost.Load())
	}
	fmt.Fprintf(v.out, "%5.1f s%s %s\n", elapsed, traffic, progress.Clean(text))
}

// draw redraws the frame on a terminal.
func (v *view) draw() {
	if v.terminal == nil {
		return
	}
	now := time.Now()
	if v.load != nil {
		n := &v.load.counts
		sent := n.sent.Load()
		v.scene.traffic = &pace{v.meter.perSecond(now, sent), sent, n.failed.Load(), n.lost.Load()}
	}
	_ = v.terminal.Draw(frame(v.scene, now, v.terminal.Style())) // a view that cannot be drawn stops no tour
}

func (v *view) close() {
	if v.terminal != nil {
		_ = v.terminal.Close()
	}
}

// meter turns a growing count into a rate over about the last second.
type meter struct {
	at    time.Time
	count uint64
	rate  float64
}

func (m *meter) perSecond(now time.Time, count uint64) float64 {
	if m.at.IsZero() {
		m.at, m.count = now, count
	}
	if gone := now.Sub(m.at); gone >= time.Second {
		m.rate = float64(count-m.count) / gone.Seconds()
		m.at, m.count = now, count
	}
	return m.rate
}

// outcomeWords says an outcome as people do.
func outcomeWords(outcome string) string {
	if outcome == string(client.RolledBack) {
		return "rolled back"
	}
	return outcome
}

// newWeight is the new release's share of the traffic.
func newWeight(r *client.Rollout) fairlead.Weight {
	if r == nil {
		return 0
	}
	return r.Weight
}
