package container

import "github.com/fairlead/fairlead"

// Outlet says how a build's commands reach the outside of this machine: by a container
// of the installation that has no network but its own loopback, in which nothing runs
// but a relay to a proxy of this process. The build's commands share that loopback.
type Outlet struct {
	Root    string          // the runtime's directory
	Program string          // this program, linked statically
	Image   fairlead.Digest // of an image that the engine has, of which nothing is run
}
