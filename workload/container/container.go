// Package container runs instances and jobs in containers of an engine that serves
// the Docker Engine API, such as Docker and Podman: it is a kind of body for package
// shim.
//
// The shim drives the engine: it makes one container for an instance, starts it as
// often as the restart policy says, takes its output, hands out connections to it,
// and removes it. Nothing is touched that does not carry this installation's labels.
// docs/design/containers.md tells what is enforced and how.
package container

// The labels of all that this package makes in an engine.
const (
	LabelOwner       = "dev.fairlead.owner"       // the installation: Owner of its state directory
	LabelApp         = "dev.fairlead.app"         // the app
	LabelEnvironment = "dev.fairlead.environment" // the environment
	LabelRelease     = "dev.fairlead.release"     // the release's number
	LabelInstance    = "dev.fairlead.instance"    // the instance's or job's id
	LabelHome        = "dev.fairlead.home"        // the directory of its state, in that of the runtime
)

// Oldest is the oldest version of the Docker Engine API that is spoken: that of
// Docker 19.03, and of Podman 3.
const Oldest = "1.40"
