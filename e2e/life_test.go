package e2e

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/workload"
)

func TestAFirstReleaseGoesLiveAndAnswersThroughTheGateway(t *testing.T) {
	t.Parallel()
	w := start(t)
	d := w.deploy(0, behaviour{Version: "v1"}, appFile{})
	if d.Release.Number != 1 || d.Rollout.Outcome != client.Promoted {
		t.Errorf("deployed %s@%d, outcome %s", d.Release.App, d.Release.Number, d.Rollout.Outcome)
	}
	status, header, body := w.get(w.host(), "/hello", "X-Request-Id", "one")
	if status != 200 || header.Get("X-Release") != "1" || header.Get("X-Request-Id") != "one" || !strings.Contains(body, "version v1") {
		t.Errorf("answer %d %v %q", status, header, body)
	}
	for command, wanted := range map[string]string{
		"status":                w.named + "@1",
		"status " + w.named:     "1 of 1 ready",
		"releases " + w.named:   w.named + "@1",
		"explain " + w.named:    "first release",
		"logs " + w.named:       "serving version v1",
		"events":                "instance.started",
		"secret list --env dev": "",
		"ledger verify":         "verified",
		"ledger replay":         "replayed",
		"doctor":                "landlock",
		"schema":                "fairlead.dev",
		"version":               "server",
		"completion bash":       "fairlead",
	} {
		if out := w.must(strings.Fields(command)...); !strings.Contains(out, wanted) {
			t.Errorf("fairlead %s says %q, want %q in it", command, out, wanted)
		}
	}
}

func TestEveryCommandAnswersInJSON(t *testing.T) {
	t.Parallel()
	w := start(t)
	v1 := w.lay(behaviour{Version: "v1"}, appFile{})
	for _, command := range []string{
		"deploy -f " + v1 + " --wait", "status", "status " + w.named, "releases " + w.named, "explain " + w.named, "logs " + w.named,
		"events", "ledger verify", "ledger replay", "doctor", "schema", "version", "secret list --env production",
		"deploy -f " + w.lay(behaviour{Version: "v2", Unready: true}, appFile{}), "pause " + w.named, "resume " + w.named,
		"abort " + w.named + " --reason test", "promote " + w.named + "@1 --to production", "down",
	} {
		r := w.run(append(strings.Fields(command), "--output", "json")...)
		if r.code != 0 {
			t.Errorf("%s", r)
		}
		values := json.NewDecoder(strings.NewReader(r.out))
		n := 0
		for ; values.More(); n++ {
			var v any
			if err := values.Decode(&v); err != nil {
				t.Fatalf("%v: %s", err, r)
			}
		}
		if n == 0 {
			t.Errorf("no JSON: %s", r)
		}
		if strings.HasPrefix(command, "promote") {
			w.reaches("at its end", func(r client.Rollout) bool { return r.Phase == "ended" })
		}
	}
	<-w.plane.exited
	w.plane = nil
}

func TestTrafficGoesOnAndNothingIsLostWhenTheControlPlaneIsKilledInARollout(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.deploy(0, behaviour{Version: "v1"}, appFile{lines: "", environments: twoReplicas})
	l := w.startLoad(w.host())
	eventually(t, 10*time.Second, "traffic", func() bool { return l.by(1) > 300 })
	w.begin(behaviour{Version: "v2"}, appFile{environments: twoReplicas})
	w.reaches("partial", partial)
	eventually(t, 10*time.Second, "traffic on the canary", func() bool { return l.by(2) > 50 })
	gateway, gatewayShim := w.gateway()
	before := w.site().Instances
	w.plane.kill()

	seen := l.by(2)
	eventually(t, 10*time.Second, "traffic on both while nobody attends", func() bool { return l.by(2) > seen+200 })
	w.exits(6, "status")
	w.up()
	if again, shim := w.gateway(); !again.is(gateway) || !shim.is(gatewayShim) {
		t.Errorf("the gateway %s is now %s", gateway, again)
	}
	after := map[string]workload.Status{}
	for _, i := range w.site().Instances { // more may have been started since
		after[i.ID] = i
	}
	for _, i := range before {
		if now := after[i.ID]; !now.Started.Equal(i.Started) || now.Restarts != 0 {
			t.Errorf("before %+v, after %+v", i, now)
		}
	}
	w.reaches("promoted", outcome(client.Promoted))
	seen = l.by(2)
	eventually(t, 20*time.Second, "traffic on the new release", func() bool { return l.by(2) > seen+200 })
	l.stop()
	w.proven()
}

const twoReplicas = "    - {name: production, replicas: 2, strategy: " + fast + "}\n"

func TestUpEndsOnSIGTERMWithoutTheGatewayAndTheInstancesAndDownEndsEverything(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.deploy(0, behaviour{Version: "v1"}, appFile{environments: twoReplicas})
	gateway, _ := w.gateway()
	app, _ := w.instance(w.site().Instances[0].ID)
	l := w.startLoad(w.host())
	eventually(t, 10*time.Second, "traffic", func() bool { return l.by(1) > 50 })
	w.plane.stop(t)
	seen := l.by(1)
	eventually(t, 10*time.Second, "traffic without a control plane", func() bool { return l.by(1) > seen+100 })
	if !gateway.alive() || !app.alive() {
		t.Error("the gateway or the instance ended")
	}
	w.up()
	l.stop()
	before := w.mine()
	if len(before) < 9 { // up, the gateway and its shim, two instances of shim, init and app
		t.Errorf("only %v", before)
	}
	w.must("down")
	<-w.plane.exited
	w.nothingLeft()
	w.exits(6, "status")
	w.proven()

	w.up()
	eventually(t, 20*time.Second, "everything started again", func() bool {
		status, header, _ := w.get(w.host(), "/")
		return status == 200 && header.Get("X-Release") == "1"
	})
}
