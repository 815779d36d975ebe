package app

import (
	"slices"
	"time"

	"github.com/fairlead/fairlead"
)

// Complete returns app with every default filled in. It leaves app itself as it
// is, may be applied twice, and does not check anything.
func Complete(app fairlead.App) fairlead.App {
	spec := &app.Spec
	if !spec.Artifact.Container() { // an image may say its own
		set(&spec.Port, 8080)
	}
	set(&spec.Drain, seconds(30))
	set(&spec.RunLimit, spec.Drain)
	set(&spec.Timeout, seconds(30))
	spec.Readiness = completeCheck(spec.Readiness, true)
	if spec.Health != nil {
		spec.Health = completeCheck(spec.Health, false)
	}
	if spec.Artifact.Git != nil {
		spec.Artifact.Git = completeGit(*spec.Artifact.Git)
	}
	spec.Gates = slices.Clone(spec.Gates)
	for i := range spec.Gates {
		set(&spec.Gates[i].Timeout, minutes(5))
		set(&spec.Gates[i].Expires, fairlead.Duration(24*time.Hour))
	}
	completeAssignment(&spec.Assignment)
	set(&spec.Route.Host, app.Metadata.Name+".localhost")
	set(&spec.Route.PathPrefix, "/")
	completeEnvironments(spec)
	return app
}

// set fills a field that has its zero value.
func set[T comparable](field *T, standard T) {
	var zero T
	if *field == zero {
		*field = standard
	}
}

func seconds(n int) fairlead.Duration { return fairlead.Duration(time.Duration(n) * time.Second) }

func minutes(n int) fairlead.Duration { return fairlead.Duration(time.Duration(n) * time.Minute) }

func completeCheck(check *fairlead.Check, readiness bool) *fairlead.Check {
	var full fairlead.Check
	if check != nil {
		full = *check
	}
	set(&full.Path, "/")
	set(&full.Interval, seconds(1))
	set(&full.Timeout, seconds(1))
	set(&full.Failures, 3)
	if readiness {
		set(&full.Deadline, seconds(60))
	}
	return &full
}

func completeGit(source fairlead.GitSource) *fairlead.GitSource {
	set(&source.Ref, "HEAD")
	set(&source.Directory, ".")
	set(&source.Timeout, minutes(10))
	return &source
}

func completeAssignment(assignment *fairlead.Assignment) {
	set(&assignment.By, fairlead.BySession)
	switch assignment.By {
	case fairlead.BySession:
		set(&assignment.Name, "fairlead_session")
	case fairlead.ByRun:
		set(&assignment.Name, "Fairlead-Run")
	}
}

// completeEnvironments gives each environment but the last a host name of its own
// in front of the app's.
func completeEnvironments(spec *fairlead.AppSpec) {
	spec.Environments = slices.Clone(spec.Environments)
	if len(spec.Environments) == 0 {
		spec.Environments = []fairlead.Environment{{Name: "production"}}
	}
	last := len(spec.Environments) - 1
	for i := range spec.Environments {
		env := &spec.Environments[i]
		set(&env.Replicas, 1)
		set(&env.Sandbox, fairlead.SandboxPreferred)
		host := spec.Route.Host
		if i != last {
			host = env.Name + "." + host
		}
		set(&env.Route.Host, host)
		set(&env.Route.PathPrefix, spec.Route.PathPrefix)
		if env.Strategy.Signals == nil {
			env.Strategy.Signals = spec.Signals
		}
		if _, one := OneWriter(spec.Volumes); one {
			set(&env.Strategy.Type, fairlead.Replace)
		}
		completeStrategy(&env.Strategy)
	}
}

func completeStrategy(s *fairlead.Strategy) {
	set(&s.Type, fairlead.Canary)
	set(&s.Alpha, 1.0/300)
	set(&s.Beta, 1.0/20)
	set(&s.Tolerance, 1)
	set(&s.Margin.Absolute, 0.01)
	completeSignals(s)
	set(&s.Margin.Ratio, 2)
	set(&s.Warmup, seconds(5))
	set(&s.MinStep, seconds(5))
	set(&s.MaxStep, minutes(60))
	set(&s.OnInconclusive, fairlead.OnInconclusiveHold)
	set(&s.RollbackWindow, minutes(30))
	if s.Holdback == nil {
		holdback := fairlead.Percent(5)
		if s.Type == fairlead.Replace {
			holdback = 0
		}
		s.Holdback = &holdback
	}
	completeGuards(s)
	if s.Mirror != nil {
		mirror := *s.Mirror
		set(&mirror.Share, 10)
		if len(mirror.Methods) == 0 {
			mirror.Methods = []string{"GET", "HEAD"}
		}
		s.Mirror = &mirror
	}
	switch {
	case s.Adaptive != nil:
		adaptive := *s.Adaptive
		set(&adaptive.First, 5)
		set(&adaptive.Most, 50)
		s.Adaptive = &adaptive
	case s.Type == fairlead.Canary && len(s.Steps) == 0:
		s.Steps = []fairlead.Percent{10, 50}
	}
}

// reportedRatio is the margin of what is reported where the file names none. Bad
// answers are many, one in ten or so: twice as many would be a release that nobody
// wants, while twice a failure in 200 requests is what evidence can exclude.
const reportedRatio = 1.25

// completeSignals gives what is reported its kind and margins. An amount and a
// preference are not protected unless the file says so.
func completeSignals(s *fairlead.Strategy) {
	s.Signals = slices.Clone(s.Signals)
	for i := range s.Signals {
		signal := &s.Signals[i]
		set(&signal.Kind, standardSignals()[signal.Name])
		set(&signal.Kind, fairlead.KindFailure)
		set(&signal.Margin.Ratio, s.Margin.Ratio)
		set(&signal.Margin.Ratio, reportedRatio)
		set(&signal.Margin.Absolute, s.Margin.Absolute)
		if signal.Protect == nil {
			protect := signal.Kind != fairlead.KindAmount && signal.Kind != fairlead.KindPreference
			signal.Protect = &protect
		}
	}
}

func completeGuards(s *fairlead.Strategy) {
	s.Guards = slices.Clone(s.Guards)
	for i := range s.Guards {
		guard := &s.Guards[i]
		if guard.Metric != "" {
			set(&guard.Path, "/metrics")
		}
		set(&guard.Interval, seconds(15))
		set(&guard.Failures, 3)
		set(&guard.OnBreach, fairlead.OnInconclusiveHold)
	}
}
