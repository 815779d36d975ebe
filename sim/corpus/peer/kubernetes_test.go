package peer

import (
	"testing"
	"time"
)

func TestKubernetesReplacesInstancesInBatchesThatAreReady(t *testing.T) {
	j := newKubernetes(10*time.Minute, known())
	expect(t, play(j, flow{until: time.Hour, requests: 10, failed: 100}), "1s 50%", "31s 100%", "1m1s promoted")
}

func TestKubernetesStopsAtInstancesThatAreNotReady(t *testing.T) {
	j := newKubernetes(10*time.Minute, known())
	got := play(j, flow{until: 5 * time.Second, requests: 10}, flow{until: time.Hour, requests: 10, unready: true})
	expect(t, got, "1s 50%", "10m1s rolled back")
}

// Up for 20 s, down for 40 s: never ready for 30 s in a row.
func TestKubernetesStopsAtACrashLoop(t *testing.T) {
	var flows []flow
	for at := time.Duration(0); at < 15*time.Minute; at += time.Minute {
		flows = append(flows, flow{until: at + 20*time.Second, requests: 1}, flow{until: at + time.Minute, requests: 1, unready: true})
	}
	expect(t, play(newKubernetes(10*time.Minute, known()), flows...), "1s 50%", "10m1s rolled back")
}
