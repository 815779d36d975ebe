package fairlead

// The version and kind every App file states.
const (
	APIVersion = "fairlead.dev/v1"
	KindApp    = "App"
)

// App is one AI application as its file declares it. Field comments are the
// descriptions in the JSON Schema that `fairlead schema` prints.
type App struct {
	APIVersion string   `json:"apiVersion"` // fairlead.dev/v1
	Kind       string   `json:"kind"`       // App
	Metadata   Metadata `json:"metadata"`
	Spec       AppSpec  `json:"spec"`
}

// Metadata names the app.
type Metadata struct {
	Name string `json:"name"` // DNS label, at most 40 characters
}

// AppSpec is what the app is made of, how it runs, and where.
type AppSpec struct {
	Artifact     Artifact          `json:"artifact"`               // what is released
	Command      []string          `json:"command,omitempty"`      // program and arguments, relative to the artifact; no shell; an image may have its own
	Port         int               `json:"port,omitempty"`         // TCP port the app listens on inside its own network, also in $PORT (default 8080); of an image the one that it exposes
	Env          map[string]string `json:"env,omitempty"`          // environment variables; never secrets
	Readiness    *Check            `json:"readiness,omitempty"`    // may it take traffic (default GET / answers below 500)
	Health       *Check            `json:"health,omitempty"`       // is it alive; failing restarts it (default: none)
	Drain        Duration          `json:"drain,omitempty"`        // time that calls in flight get before an instance is stopped (default 30s)
	RunLimit     Duration          `json:"runLimit,omitempty"`     // longest that a stream or an agent's run keeps its release during a drain (default: drain)
	Timeout      Duration          `json:"timeout,omitempty"`      // deadline of a request's first byte (default 30s)
	Model        []string          `json:"model,omitempty"`        // files of the artifact that hold the model
	Prompt       []string          `json:"prompt,omitempty"`       // files of the artifact that hold prompts
	Config       []string          `json:"config,omitempty"`       // files of the artifact that hold configuration
	Secrets      []SecretRef       `json:"secrets,omitempty"`      // secrets delivered as files under $FAIRLEAD_SECRETS
	Resources    Resources         `json:"resources,omitempty"`    // limits of one instance
	Network      Network           `json:"network,omitempty"`      // what an instance may reach
	Volumes      []Volume          `json:"volumes,omitempty"`      // storage that outlives instances
	Loosen       *Loosen           `json:"loosen,omitempty"`       // what containers may do beyond the default
	Gates        []Gate            `json:"gates,omitempty"`        // what must be proven before traffic
	Assignment   Assignment        `json:"assignment,omitempty"`   // what is assigned to a release as one
	Signals      []SignalSpec      `json:"signals,omitempty"`      // what the app, graders or users report of its answers
	Route        Route             `json:"route,omitempty"`        // which requests are the app's (default host NAME.localhost)
	Environments []Environment     `json:"environments,omitempty"` // in order of promotion (default: production)
}

// Artifact is what is released: exactly one of Directory, Git, Image, Dockerfile and
// Archive is set. The last three run in containers.
type Artifact struct {
	Directory   string            `json:"directory,omitempty"`   // a directory, relative to the App file
	Git         *GitSource        `json:"from,omitempty"`        // built from a Git commit
	Image       string            `json:"image,omitempty"`       // a container image by tag or digest; a tag is pinned when it is deployed, and without either it is latest
	Dockerfile  string            `json:"dockerfile,omitempty"`  // a container image built from this file, relative to the App file
	Context     string            `json:"context,omitempty"`     // directory that the Dockerfile copies from (default: the Dockerfile's own)
	Target      string            `json:"target,omitempty"`      // stage of the Dockerfile that is built (default: the last)
	BuildArgs   map[string]string `json:"buildArgs,omitempty"`   // values of the Dockerfile's ARGs; the release and the image keep them for good, so never secrets
	Archive     string            `json:"archive,omitempty"`     // a container image in an OCI or Docker archive, relative to the App file
	Credentials string            `json:"credentials,omitempty"` // secret that holds "user:password" or a Docker config for the registry (default: the Docker configuration)
}

// Container reports whether the artifact runs in containers.
func (a Artifact) Container() bool { return a.Image != "" || a.Dockerfile != "" || a.Archive != "" }

// GitSource makes the artifact from a Git ref, so that a release begins at a commit.
type GitSource struct {
	Git       string   `json:"git"`                 // repository: a path relative to the App file, or a URL
	Ref       string   `json:"ref,omitempty"`       // branch, tag or commit (default HEAD)
	Build     []string `json:"build,omitempty"`     // build command, run in the sandbox at the top of the clone; no shell
	Directory string   `json:"directory,omitempty"` // directory of the clone that is released (default .)
	Timeout   Duration `json:"timeout,omitempty"`   // longest that the build may take (default 10m)
}

// Check asks an instance by HTTP whether it is ready or alive.
type Check struct {
	Path     string   `json:"path,omitempty"`     // default /
	Interval Duration `json:"interval,omitempty"` // default 1s
	Timeout  Duration `json:"timeout,omitempty"`  // default 1s
	Failures int      `json:"failures,omitempty"` // consecutive failures that count (default 3)
	Deadline Duration `json:"deadline,omitempty"` // readiness only: longest from start to ready (default 60s)
}

// SecretRef names a secret of the environment.
type SecretRef struct {
	Name    string `json:"name"`
	Version int    `json:"version,omitempty"` // default: the newest when the release is made
}

// Resources bound one instance.
type Resources struct {
	CPU    string `json:"cpu,omitempty"`    // cores such as "500m" or "2" (default: no limit)
	Memory string `json:"memory,omitempty"` // bytes such as "256Mi" (default: no limit)
	Shm    string `json:"shm,omitempty"`    // size of /dev/shm such as "2Gi", which data loaders and inference servers fill; what is in it counts as memory, so it is at most memory (default: 64Mi)
	GPU    *GPU   `json:"gpu,omitempty"`    // graphics processors (default: none)
}

// Network lists what an instance may reach beyond the loopback of its own environment.
type Network struct {
	Reach []string `json:"reach,omitempty"` // "host:port" each
}

// Gate is a command that must succeed against the exact release before it takes traffic.
type Gate struct {
	Name         string   `json:"name"`
	Command      []string `json:"command"`                // run in the sandbox at the top of the artifact; no shell
	Timeout      Duration `json:"timeout,omitempty"`      // default 5m
	Expires      Duration `json:"expires,omitempty"`      // how long its evidence is fresh (default 24h)
	Environments []string `json:"environments,omitempty"` // where it is demanded (default: all)
}

// The ways to name a unit of assignment.
const (
	BySession = "session" // a cookie that the gateway sets
	ByHeader  = "header"  // a request header, such as a tenant's id
	ByAPIKey  = "apiKey"  // the bearer token or X-API-Key
	ByRun     = "run"     // a header that names an agent's run; a run never moves
)

// Assignment says what is assigned to a release as one.
type Assignment struct {
	By   string `json:"by,omitempty"`   // session, header, apiKey or run (default session)
	Name string `json:"name,omitempty"` // the cookie's or header's name (default fairlead_session, or Fairlead-Run)
}

// Route says which requests are an app's.
type Route struct {
	Host       string `json:"host,omitempty"`       // exact host name, without port
	PathPrefix string `json:"pathPrefix,omitempty"` // default /
}
