package container

import (
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/workload"
	"github.com/fairlead/fairlead/workload/reach"
	"github.com/fairlead/fairlead/workload/shim"
)

// recipeOf decides what the container of a plan is, for an installation.
func recipeOf(plan shim.Plan, owner string) (recipe, error) {
	labels := map[string]string{LabelOwner: owner, LabelHome: homeName(plan.Home)}
	prefix := "fairlead-" + owner[:8] + "."
	if plan.Job != nil {
		return jobRecipe(*plan.Job, prefix+"job."+plan.Job.ID, labels)
	}
	return instanceRecipe(*plan.Instance, prefix+plan.Instance.ID, labels)
}

// commonRecipe is what instances and jobs have in common.
func commonRecipe(image workload.Image, asked fairlead.Resources, network fairlead.Network, sandbox string) (recipe, error) {
	rules, err := reach.Parse(network)
	if err != nil {
		return recipe{}, err
	}
	limits, err := workload.LimitsOf(asked)
	if err != nil {
		return recipe{}, err
	}
	return recipe{
		image: image, workDir: image.WorkDir, asked: asked, limits: limits, rules: rules, required: sandbox == fairlead.SandboxRequired,
		files: mostFiles(), threads: mostThreads(),
	}, nil
}

func instanceRecipe(spec workload.Spec, name string, labels map[string]string) (recipe, error) {
	r, err := commonRecipe(*spec.Image, spec.Resources, spec.Network, spec.Sandbox)
	if err != nil {
		return r, err
	}
	labels[LabelInstance], labels[LabelRelease] = spec.ID, strconv.Itoa(spec.Release)
	labels[LabelApp], labels[LabelEnvironment] = spec.Site.App, spec.Site.Env
	r.name, r.labels, r.network = name, labels, networkName(labels[LabelOwner], spec.Site)
	r.user = UserOf(spec.Image.User, spec.Site.String(), spec.Loosen, os.Getuid())
	r.command, r.env, r.port, r.devices = spec.Command, spec.Variables(spec.Port, insideSecrets), spec.Port, spec.Devices
	if spec.Loosen != nil {
		r.loosen = *spec.Loosen
	}
	for _, v := range spec.Volumes {
		r.mounts = append(r.mounts, bind(v.Source, v.Path, false))
	}
	return r, nil
}

// jobRecipe gives a job no network but what it may reach.
func jobRecipe(job workload.Job, name string, labels map[string]string) (recipe, error) {
	r, err := commonRecipe(*job.Image, job.Resources, job.Network, job.Sandbox)
	if err != nil {
		return r, err
	}
	labels[LabelInstance] = job.ID
	r.job, r.name, r.labels = true, name, labels
	r.user = UserOf(job.Image.User, "job/"+job.ID, nil, os.Getuid())
	r.command, r.env = job.Command, job.Env
	if job.Dir != "" {
		r.workDir = insideDir
		r.mounts = append(r.mounts, bind(job.Dir, insideDir, !job.Writable))
	}
	return r, nil
}

// insideDir is where a job sees the directory that it works in.
const insideDir = "/work"

// homeName is what a container's label says of its home: KIND/ID.
func homeName(home string) string {
	return filepath.Join(filepath.Base(filepath.Dir(home)), filepath.Base(home))
}

// mostFiles is how many files a process may open: the contract's number, or less where
// this process may not open as many, for an engine that has no right to give more
// starts nothing.
func mostFiles() int64 {
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil || limit.Max > workload.MostFiles {
		return workload.MostFiles
	}
	return int64(limit.Max)
}

// mostThreads bounds the threads of a container's user on the whole machine, where an
// engine would else ask for more than it has the right to give: Podman keeps 32,768 for
// itself.
func mostThreads() int64 {
	const most = 32_768
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NPROC, &limit) != nil || limit.Max > most {
		return most
	}
	return int64(limit.Max)
}
