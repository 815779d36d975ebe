package e2e

import (
	"context"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/gateway"
)

// leaseTTL is how long a gateway keeps a partial split without a control plane.
const leaseTTL = 15 * time.Second

// half puts half of the traffic on a new release and leaves it there.
const half = "    - {name: production, strategy: {steps: [50], maxStep: 10m}}\n"

// speak returns a client of the gateway's control socket.
func (w *world) speak() *gateway.Client {
	c := gateway.NewClient(filepath.Join(w.state, "gateway", gateway.ControlSocket))
	w.Cleanup(c.Close)
	return c
}

// expiries returns what the gateway's journal says of leases that ran out.
func expiries(t testing.TB, c *gateway.Client) (found []gateway.Event) {
	t.Helper()
	events, err := c.Events(context.Background(), 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		if e.Kind == "leaseExpired" {
			found = append(found, e)
		}
	}
	return found
}

// metrics reads what the gateway counts, as a person without a control plane does.
func (w *world) metrics() map[string]float64 {
	w.Helper()
	return see[map[string]float64](w, "metrics")
}

// ofSite names a metric of the world's app.
func (w *world) ofSite(name string) string {
	return "fairlead_gateway_" + name + `{app="` + w.named + `",env="production"}`
}

// shares counts where the next requests of an unbroken load are served.
func (l *load) shares(requests int) (stable, canary int) {
	l.t.Helper()
	a, b := l.by(1), l.by(2)
	eventually(l.t, 30*time.Second, "answers", func() bool { return l.by(1)-a+l.by(2)-b >= requests })
	return l.by(1) - a, l.by(2) - b
}

func TestAKilledControlPlaneLeavesTheTrafficToTheFallbackWhenItsLeaseHasRunOut(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.deploy(0, behaviour{Version: "v1", Failures: 0.02}, appFile{environments: half})
	l := w.startLoad(w.host())
	w.begin(behaviour{Version: "v2", Failures: 0.02}, appFile{environments: half})
	w.reaches("judged", func(r client.Rollout) bool { return partial(r) && r.Canary.Requests > 300 })
	before := w.rollout()
	w.plane.kill()
	gate := w.speak()
	if m := w.metrics(); m[w.ofSite("lease_expired")] != 0 || m[w.ofSite("canary_weight")] != 0.5 || m["fairlead_gateway_lease_expiries_total"] != 0 {
		t.Errorf("attended a moment ago: %v", m)
	}
	renewed := time.UnixMilli(int64(1000 * w.metrics()["fairlead_gateway_lease_renewed_timestamp_seconds"]))
	if _, canary := l.shares(200); canary == 0 {
		t.Error("the canary lost its traffic with the control plane, before the lease ran out")
	}
	eventually(t, 2*leaseTTL, "the lease is over", func() bool { return len(expiries(t, gate)) == 1 })
	expiry := expiries(t, gate)[0]
	late := expiry.Time.Sub(renewed) - leaseTTL
	t.Logf("the lease of %s ran out %s after its time", leaseTTL, late)
	if late < -100*time.Millisecond || late > 5*time.Second { // within a second; this machine may be busy
		t.Errorf("the lease of %s ran out %s after its time", leaseTTL, late)
	}
	if !strings.Contains(expiry.Text, "from weight 50 % to its fallback 0 %") {
		t.Errorf("the journal says %q", expiry.Text)
	}
	if stable, canary := l.shares(200); canary > connections { // those in flight at the change
		t.Errorf("after the expiry %d requests went to the canary and %d to the old release", canary, stable)
	}
	if m := w.metrics(); m[w.ofSite("lease_expired")] != 1 || m[w.ofSite("canary_weight")] != 0 || m["fairlead_gateway_lease_expiries_total"] != 1 {
		t.Errorf("alone: %v", m)
	}

	w.up()
	held := w.reaches("held", unattended)
	if held.Weight != 0 || held.Outcome != "" || held.Canary.Requests < before.Canary.Requests {
		t.Errorf("held at %s, outcome %q, with %d requests of the canary known after %d", held.Weight, held.Outcome, held.Canary.Requests, before.Canary.Requests)
	}
	if was, is := judged(t, before), judged(t, held); is.Harm.E == 1 || was.Harm.E == 1 {
		t.Errorf("evidence of harm was %v and is %v: it should be kept", was.Harm, is.Harm)
	}
	if out := w.must("events", "--tail", "500"); !strings.Contains(out, "gateway.leaseExpired") {
		t.Errorf("the ledger does not tell of it: %s", out)
	}
	w.must("resume", w.named)
	again := w.reaches("partial again", partial)
	if safety := judged(t, again).Safety; safety.E > 2 {
		t.Errorf("evidence of safety is %v after the resumption: it should start afresh", safety)
	}
	eventually(t, 10*time.Second, "the canary's traffic", func() bool { _, canary := l.shares(50); return canary > 0 })
	l.stop()
	w.must("abort", w.named, "--wait")
	w.proven()
}

// judged returns the judge's report of a rollout.
func judged(t testing.TB, r client.Rollout) (report struct{ Harm, Safety struct{ E float64 } }) {
	t.Helper()
	if err := json.Unmarshal(r.Evidence, &report); err != nil {
		t.Fatalf("%v: %s", err, r.Evidence)
	}
	return report
}

func TestAGatewayThatRestartsWithoutAControlPlaneFallsBackAtOnce(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.deploy(0, behaviour{Version: "v1"}, appFile{environments: half})
	l := w.startLoad(w.host())
	w.begin(behaviour{Version: "v2"}, appFile{environments: half})
	w.reaches("partial", partial)
	eventually(t, 10*time.Second, "traffic on the canary", func() bool { return l.by(2) > 100 })
	w.plane.kill()
	killed := time.Now()
	first, _ := w.gateway()
	w.kill(first)
	gate := w.speak()
	eventually(t, 20*time.Second, "the next gateway", func() bool {
		s, err := gate.Status(context.Background())
		return err == nil && s.Pid != first.pid
	})
	alone := expiries(t, gate)
	if len(alone) != 1 || !strings.Contains(alone[0].Text, "without a control plane") {
		t.Fatalf("%s after the kill the journal says %+v", time.Since(killed), alone)
	}
	if stable, canary := l.shares(200); canary > 0 {
		t.Errorf("%d requests went to the canary and %d to the old release", canary, stable)
	}
	if m := w.metrics(); m[w.ofSite("lease_expired")] != 1 || m["fairlead_gateway_lease_renewed_timestamp_seconds"] != 0 {
		t.Errorf("alone: %v", m)
	}
	l.onlyBroken()
	w.up()
	if held := w.reaches("held", unattended); held.Weight != 0 {
		t.Errorf("held at %s", held.Weight)
	}
	w.must("abort", w.named, "--wait")
	w.proven()
}

func TestARollingRolloutFreezesWhenNobodyAttendsIt(t *testing.T) {
	t.Parallel()
	w := start(t)
	rolling := appFile{environments: "    - {name: production, replicas: 2, strategy: {type: rolling, maxStep: 10m}}\n"}
	w.deploy(0, behaviour{Version: "v1"}, rolling)
	l := w.startLoad(w.host())
	w.begin(behaviour{Version: "v2"}, rolling)
	weight := w.reaches("partial", partial).Weight
	eventually(t, 10*time.Second, "traffic on both", func() bool { return l.by(2) > 100 })
	w.plane.kill()
	first, _ := w.gateway()
	w.kill(first) // a restart without a control plane is an expiry at once
	gate := w.speak()
	eventually(t, 20*time.Second, "the lease is over", func() bool {
		s, err := gate.Status(context.Background())
		return err == nil && s.Pid != first.pid && len(s.Expired) == 1 && s.Fallback[0] == weight
	})
	if stable, canary := l.shares(400); stable < 100 || canary < 100 {
		t.Errorf("frozen at %s, %d requests went to the old release and %d to the new one", weight, stable, canary)
	}
	l.onlyBroken()
	w.up()
	if held := w.reaches("held", unattended); held.Weight != weight {
		t.Errorf("held at %s, frozen at %s", held.Weight, weight)
	}
	w.must("abort", w.named, "--wait")
	w.proven()
}

func TestAControlPlaneOfAnOlderTermIsRefusedByTheGateway(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.deploy(0, behaviour{Version: "v1"}, appFile{})
	gate := w.speak()
	old, err := gate.Status(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	w.plane.kill()
	w.up()
	ctx := context.Background()
	eventually(t, 20*time.Second, "an order of the new control plane", func() bool {
		s, err := gate.Status(ctx)
		return err == nil && s.Applied.Term > old.Applied.Term
	})
	site := fairlead.Site{App: w.named, Env: "production"}
	order := fairlead.Order{Term: old.Applied.Term, Seq: old.Applied.Seq + 1000}
	for what, err := range map[string]error{
		"a snapshot without routes": gate.Apply(ctx, gateway.Snapshot{Format: 1, Order: order}),
		"a renewal":                 gate.Renew(ctx, order),
		"an acknowledgement":        gate.Ack(ctx, []gateway.Ack{{Term: order.Term, Gateway: old.Boot, Site: site, Seq: 1 << 40}}),
	} {
		if fairlead.CodeOf(err) != fairlead.Conflict {
			t.Errorf("%s of the old term: %v", what, err)
		}
	}
	if status, _, _ := w.get(w.host(), "/"); status != 200 {
		t.Errorf("the app answers %d", status)
	}
}
