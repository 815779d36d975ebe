package compose

import (
	"fmt"
	"slices"
	"strings"

	"github.com/fairlead/fairlead"
)

// hardening carries what a service gives up of its protections, and what it bounds itself.
type hardening struct{ *carrying }

// standardProcesses is the highest number of processes that an instance has where
// nothing is loosened.
const standardProcesses = 512

// user carries that a service runs as root; whom else it runs as is the image's to say.
func (c hardening) user() error {
	name, _, _ := strings.Cut(c.service.User, ":")
	if name == "0" || name == "root" {
		c.loosen().Root = true
		c.loosened("user", "user: root", "spec.loosen.root")
		return nil
	}
	c.note(Lost, "user", "user: "+c.service.User, "an instance runs as the image's own user where that is a number other than 0, else as one of Fairlead's",
		"write USER "+c.service.User+" in the Dockerfile")
	return nil
}

// loosened tells that a protection is given up, because the compose file does.
func (c hardening) loosened(path, what, field string) {
	c.carried(strings.Split(path, ".")[0])
	c.note(Decide, path, what, "a protection that holds by default is given up, as the compose file has it ("+field+"); the ledger and `fairlead doctor` will say so", "try it without")
	c.remark("spec.loosen", "TODO: each of these gives up a protection, because the compose file does. Try it without.")
}

// capabilities carries capabilities, but those that reach the whole machine.
func (c hardening) capabilities() error {
	for i, name := range c.service.CapAdd {
		path := fmt.Sprintf("cap_add.%d", i)
		bare := strings.TrimPrefix(strings.ToUpper(name), "CAP_")
		if bare == "ALL" {
			c.note(Lost, path, "cap_add: ALL", "an App names the capabilities that it needs", "name them under spec.loosen.capabilities")
			continue
		}
		if l := c.spec.Loosen; l != nil && slices.Contains(l.Capabilities, bare) {
			continue
		}
		wrong := c.offer("spec.loosen", func(s *fairlead.AppSpec) {
			looser := fairlead.Loosen{}
			if s.Loosen != nil {
				looser = *s.Loosen
			}
			looser.Capabilities = append(slices.Clone(looser.Capabilities), bare)
			s.Loosen = &looser
		})
		if wrong != "" {
			c.note(Lost, path, "cap_add: "+bare, wrong, "have the app do without")
			continue
		}
		c.loosened(path, "cap_add: "+bare, "spec.loosen.capabilities")
	}
	return nil
}

func (c hardening) privileged() error {
	if c.service.Privileged {
		c.note(Lost, "privileged", "privileged: true", "no app gets the whole machine", "find out what it needs it for: capabilities (spec.loosen), GPUs (spec.resources.gpu), or nothing")
		return nil
	}
	c.carried("privileged")
	return nil
}

// readOnly remembers where the compose file lets a service write to its image's own
// files, which a note for all of them tells.
func (c hardening) readOnly() error {
	if c.service.ReadOnly {
		c.carried("read_only")
		return nil
	}
	c.writes = true
	return nil
}

func (c hardening) securityOptions() error {
	for i, option := range c.service.SecurityOpt {
		path := fmt.Sprintf("security_opt.%d", i)
		switch strings.ReplaceAll(option, "=", ":") {
		case "no-new-privileges:true", "no-new-privileges":
			c.carried("security_opt")
		case "no-new-privileges:false":
			c.loosen().Privileges = true
			c.loosened(path, "security_opt: "+option, "spec.loosen.privileges")
		case "seccomp:unconfined":
			c.loosen().Seccomp = true
			c.loosened(path, "security_opt: "+option, "spec.loosen.seccomp")
		default:
			c.note(Lost, path, "security_opt: "+option, "the engine's default profiles hold", "try it with them")
		}
	}
	return nil
}

func (c hardening) processes() error {
	c.setProcesses("pids_limit", c.service.PidsLimit)
	return nil
}

// setProcesses carries a limit of processes that is higher than the standard one.
func (c hardening) setProcesses(path string, n int64) {
	const field = "spec.loosen.processes"
	switch {
	case n == standardProcesses:
		c.carried(strings.Split(path, ".")[0])
	case n < 0:
		c.note(Lost, path, path+": no limit", fmt.Sprintf("an instance has at most %d processes and threads", standardProcesses), "write how many it needs: "+field)
	case n < standardProcesses:
		c.note(Changed, path, fmt.Sprintf("%s: %d", path, n), fmt.Sprintf("the limit is %d", standardProcesses), "")
	default:
		wrong := c.offer("spec.loosen", func(s *fairlead.AppSpec) {
			looser := fairlead.Loosen{}
			if s.Loosen != nil {
				looser = *s.Loosen
			}
			looser.Processes = int(n)
			s.Loosen = &looser
		})
		if wrong != "" {
			c.note(Lost, path, fmt.Sprintf("%s: %d", path, n), wrong, "write "+field)
			return
		}
		c.loosened(path, fmt.Sprintf("%s: %d", path, n), field)
	}
}

// sharedMemory carries the size of /dev/shm where it is more than what every instance
// has.
func (c hardening) sharedMemory() error {
	const given, field = 64 << 20, "spec.resources.shm"
	asked := int64(c.service.ShmSize)
	if asked <= given {
		c.carried("shm_size")
		return nil
	}
	ask := func(size string) string {
		return c.offer(field, func(s *fairlead.AppSpec) { s.Resources.Shm = size })
	}
	wrong, memory := ask(amount(asked)), c.spec.Resources.Memory
	switch {
	case wrong == "":
		c.carried("shm_size")
	case memory != "" && ask(memory) == "":
		c.note(Changed, "shm_size", "shm_size: "+amount(asked), "what is in /dev/shm counts as memory, of which the service has "+memory+"; so has /dev/shm", "")
	default:
		c.note(Lost, "shm_size", "shm_size: "+amount(asked), wrong, "write "+field)
	}
	return nil
}

func (c hardening) limits() error {
	const openFiles = 65536
	for _, name := range sortedNames(c.service.Ulimits) {
		path := "ulimits." + name
		limit := c.service.Ulimits[name]
		most := max(limit.Single, limit.Soft, limit.Hard)
		switch {
		case name == "nofile" && most <= openFiles, name == "core" && most == 0:
			c.carried("ulimits")
		case name == "nproc":
			c.setProcesses(path, int64(most))
		case name == "memlock" || name == "stack":
			c.note(Lost, path, "ulimits: "+name, "the engine's own limit holds", "see whether the app works with it")
		default:
			c.note(Lost, path, fmt.Sprintf("ulimits: %s: %d", name, most), "of open files there are "+fmt.Sprint(openFiles)+", of core dumps none, and the rest is the engine's", "see whether the app works with it")
		}
	}
	return nil
}

func (c hardening) profiles() error {
	c.note(Changed, "profiles", "profiles: "+strings.Join(c.service.Profiles, ", "), "an app runs when it was deployed; deploy it where it is wanted", "")
	return nil
}
