package peer

import (
	"fmt"
	"time"

	"github.com/fairlead/fairlead/sim/corpus"
)

// kubernetes is a Deployment's rolling update with readiness probes alone. Instances
// are replaced in batches: maxSurge 25 % (rounded up) and maxUnavailable 25 % (rounded
// down) of the replicas at once; the next batch begins when all new ones are ready
// (minReadySeconds 0). Instances that crash in a loop are not ready, so the update
// stops there. It sees no request.
//
// When nothing becomes ready for progressDeadlineSeconds (default 600) Kubernetes only
// reports it. We let the pipeline roll back then, as `kubectl rollout status` followed
// by `kubectl rollout undo` does, which is better for the peer. Once complete, nobody
// looks any more. An instance takes 10 s to start.
//
// Sources: kubernetes.io/docs/concepts/workloads/controllers/deployment (rolling update,
// progress deadline, failed deployment).
type kubernetes struct {
	course
	deadline time.Duration
	batch    float64       // share of the replicas
	began    time.Duration // of the batch
}

// startup is how long a batch takes at least: image, start and first probe.
const startup = 10 * time.Second

func newKubernetes(deadline time.Duration, start corpus.Start) *kubernetes {
	replicas := max(1, start.Replicas)
	return &kubernetes{deadline: deadline, batch: float64((replicas+3)/4+replicas/4) / float64(replicas)}
}

// Second implements [corpus.Judge].
func (k *kubernetes) Second(s *corpus.Second) corpus.Decision {
	switch waited := s.Now - k.began; {
	case k.over():
	case !ready(s) && waited >= k.deadline:
		k.back("no progress for %v", k.deadline)
	case !ready(s) || k.Weight > 0 && waited < startup:
	case k.Weight >= 1:
		k.finish("all instances are ready")
	default:
		k.goOn(min(1, k.Weight+k.batch))
		k.began = s.Now
	}
	return k.Decision
}

func kubernetesRule(name string, deadline time.Duration) corpus.Rule {
	return corpus.Rule{
		Name: "kubernetes/" + name, Version: "1",
		Source: "kubernetes.io/docs/concepts/workloads/controllers/deployment",
		New:    func(start corpus.Start) corpus.Judge { return newKubernetes(deadline, start) },
	}
}

func kubernetesPeer() Peer {
	p := Peer{Name: "kubernetes", Rules: []corpus.Rule{kubernetesRule("readiness", 10*time.Minute)}}
	for _, deadline := range []time.Duration{30 * time.Second, time.Minute, 2 * time.Minute} {
		p.Grid = append(p.Grid, kubernetesRule(fmt.Sprintf("deadline=%v", deadline), deadline))
	}
	return p
}
