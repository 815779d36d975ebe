package peer

import (
	"testing"
	"time"
)

func TestKubernetesReplacesInstancesInBatchesThatAreReady(t *testing.T) {
	j := newKubernetes(10*time.Minute, known())
	expect(t, play(j, flow{until: time.Hour, requests: 10, failed: 100}), "1s 50%", "11s 100%", "21s promoted")
}

func TestKubernetesStopsAtInstancesThatAreNotReady(t *testing.T) {
	j := newKubernetes(10*time.Minute, known())
	got := play(j, flow{until: 5 * time.Second, requests: 10}, flow{until: time.Hour, requests: 10, unready: true})
	expect(t, got, "1s 50%", "10m1s rolled back")
}
