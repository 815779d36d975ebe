package fairlead

import "fmt"

// Image is the container image that a release runs.
type Image struct {
	ID        Digest            `json:"id"`                  // of its configuration, by which an engine runs exactly it
	Reference string            `json:"reference"`           // as the App file names it: an image, a Dockerfile or an archive
	Pinned    string            `json:"pinned,omitempty"`    // the registry's name by digest, such as "docker.io/library/redis@sha256:..."
	Platform  string            `json:"platform"`            // such as "linux/amd64"
	Bases     map[string]string `json:"bases,omitempty"`     // base images of a Dockerfile -> name by digest, or image id
	Target    string            `json:"target,omitempty"`    // stage of the Dockerfile that was built; nothing for the last
	BuildArgs map[string]string `json:"buildArgs,omitempty"` // values that its ARGs were given
	BuildLog  Digest            `json:"buildLog,omitempty"`  // of a Dockerfile, in the content store
	User      string            `json:"user,omitempty"`      // what the image says it runs as
	WorkDir   string            `json:"workDir,omitempty"`
	Bytes     int64             `json:"bytes"` // size of its layers on disk
}

// Volume is storage of an environment that outlives instances.
type Volume struct {
	Name   string `json:"name"`
	Path   string `json:"path"`             // absolute, where the app sees it
	Size   string `json:"size"`             // bytes such as "10Gi"; accounted and measured
	Fresh  bool   `json:"fresh,omitempty"`  // each release begins with an empty one; without it, it survives releases
	Shared bool   `json:"shared,omitempty"` // several instances may write at once; without it, one writes and releases replace each other
}

// GPU is what an instance needs of graphics processors: whole devices by count, or a
// part of one by memory or share.
type GPU struct {
	Count  int     `json:"count,omitempty"`  // whole devices, of which nobody else has a part
	Memory string  `json:"memory,omitempty"` // bytes of one device's memory such as "16Gi", shared with others
	Share  Percent `json:"share,omitempty"`  // of one device, shared with others
	Vendor string  `json:"vendor,omitempty"` // nvidia or amd (default: any)
}

// Loosen names what an app's containers may do beyond the default, which is nothing
// of it. Every release that loosens anything says so in the ledger.
type Loosen struct {
	Root         bool     `json:"root,omitempty"`         // run as root inside the container
	WritableRoot bool     `json:"writableRoot,omitempty"` // write to the image's own files; what is written is lost at each restart
	Capabilities []string `json:"capabilities,omitempty"` // capabilities kept, such as NET_BIND_SERVICE
	Privileges   bool     `json:"privileges,omitempty"`   // programs may gain rights by set-user-id files
	Seccomp      bool     `json:"seccomp,omitempty"`      // no system call filter
	Processes    int      `json:"processes,omitempty"`    // highest number of processes and threads (default: 512)
}

// Words says what l allows, such as "they run as root"; nothing of nil.
func (l *Loosen) Words() []string {
	if l == nil {
		return nil
	}
	var words []string
	for _, one := range []struct {
		asked bool
		text  string
	}{
		{l.Root, "they run as root"},
		{l.WritableRoot, "they write to their image's files"},
		{l.Privileges, "their programs may gain rights"},
		{l.Seccomp, "no system call is filtered"},
	} {
		if one.asked {
			words = append(words, one.text)
		}
	}
	for _, name := range l.Capabilities {
		words = append(words, "they keep the capability "+name)
	}
	if l.Processes > 0 {
		words = append(words, fmt.Sprintf("they may have %d processes", l.Processes))
	}
	return words
}
