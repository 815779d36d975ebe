package peer

import (
	"fmt"
	"time"

	"github.com/fairlead/fairlead/sim/corpus"
)

// kubernetes is a Deployment's rolling update with readiness probes alone. Instances
// are replaced in batches: maxSurge 25 % (rounded up) and maxUnavailable 25 % (rounded
// down) of the replicas at once; the next batch begins when all new ones have been
// ready for minReadySeconds in a row. That is 0 by default, so that an instance which
// crashes in a loop counts whenever it is up; we take 30, which is better for the peer:
// it stops at a crash loop. It sees no request.
//
// When nothing becomes ready for progressDeadlineSeconds (default 600) Kubernetes only
// reports it. We let the pipeline roll back then, as `kubectl rollout status` followed
// by `kubectl rollout undo` does, which is better for the peer. Once complete, nobody
// looks any more.
//
// Sources: kubernetes.io/docs/concepts/workloads/controllers/deployment (rolling update,
// progress deadline, failed deployment).
type kubernetes struct {
	course
	deadline time.Duration
	batch    float64       // share of the replicas
	began    time.Duration // of the batch
	unready  time.Duration // the newest second at which not all were ready
}

// minReady is how long instances must be ready to count as available.
const minReady = 30 * time.Second

func newKubernetes(deadline time.Duration, start corpus.Start) *kubernetes {
	replicas := max(1, start.Replicas)
	return &kubernetes{deadline: deadline, batch: float64((replicas+3)/4+replicas/4) / float64(replicas)}
}

// Second implements [corpus.Judge].
func (k *kubernetes) Second(s *corpus.Second) corpus.Decision {
	if !ready(s) {
		k.unready = s.Now
	}
	available := s.Now-max(k.began, k.unready) >= minReady || k.Weight == 0 && ready(s)
	switch {
	case k.over():
	case !available && s.Now-k.began >= k.deadline:
		k.back("no progress for %v", k.deadline)
	case !available:
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
		Name: "kubernetes/" + name, Version: "2",
		Source: "kubernetes.io/docs/concepts/workloads/controllers/deployment",
		New:    func(start corpus.Start) corpus.Judge { return newKubernetes(deadline, start) },
	}
}

func kubernetesPeer() Peer {
	p := Peer{Name: "kubernetes", Rules: []corpus.Rule{kubernetesRule("readiness", 10*time.Minute)}}
	for _, deadline := range []time.Duration{time.Minute, 2 * time.Minute} {
		p.Grid = append(p.Grid, kubernetesRule(fmt.Sprintf("deadline=%v", deadline), deadline))
	}
	return p
}
