package container

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
)

// insideHosts is where programs look for the names of machines.
const insideHosts = "/etc/hosts"

// podmanOwn changes what Podman puts into a container by itself. It would give it the
// names in this machine's own hosts file: it is given the file hosts instead. And beside
// a read-only root it would give it memory without a bound of its own to write to, where
// Docker gives none.
func podmanOwn(config *container.HostConfig, hosts string) {
	config.ExtraHosts = nil // they stand in the file
	config.Mounts = append(config.Mounts, bind(hosts, insideHosts, true))
	if !config.ReadonlyRootfs {
		return
	}
	for at, options := range map[string]string{"/run": "rw,nosuid,nodev,noexec,mode=0755,size=65536", "/var/tmp": "ro,nosuid,nodev,noexec,mode=0555,size=4096"} {
		is := func(m mount.Mount) bool { return m.Target == at }
		if _, has := config.Tmpfs[at]; !has && !slices.ContainsFunc(config.Mounts, is) {
			config.Tmpfs[at] = options // in /run it writes what it needs itself, as root
		}
	}
}

// hostsText is the content of a hosts file with names as in "name:address", in which a
// container finds itself by its own name.
func hostsText(hosts []string, own string) string {
	var text strings.Builder
	text.WriteString("127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n")
	if own != "" {
		fmt.Fprintf(&text, "127.0.0.1 %s\n", own)
	}
	for _, host := range hosts {
		if name, address, ok := strings.Cut(host, ":"); ok {
			fmt.Fprintf(&text, "%s %s\n", address, name)
		}
	}
	return text.String()
}

// writeNames writes the file of names that Podman is given; own is what the container
// calls itself, which is known when it is made.
func (r recipe) writeNames(own string) error {
	err := os.WriteFile(r.names, []byte(hostsText(r.hosts(), own)), 0o644)
	return errors.Join(err, os.Chmod(r.names, 0o644)) // past the umask
}
