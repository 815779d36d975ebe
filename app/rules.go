package app

import (
	"math"
	"time"

	"github.com/fairlead/fairlead"
)

// rule is what a field's value must satisfy by itself. The same rules make
// [Check] and [Schema], so that they cannot disagree. Rules bind values that are
// not the zero value, and all values of fields that must be present.
type rule struct {
	enum    []string
	pattern string  // of text; of the items of a list of text
	says    string  // what the pattern demands, for people
	long    int     // most characters of text; 0 where the pattern bounds it
	min     float64 // of numbers; of durations in seconds
	max     float64 // 0 where the rule bounds nothing
	open    bool    // min and max are excluded
	items   int     // most items of a list or map; 0 where it is unbounded
	some    bool    // a list must have items
	keys    string  // pattern of a map's names
	keySays string
	any     bool                // names that Fairlead itself sets may be a map's too
	wrong   func(string) string // says what is wrong with text better than the pattern does; "" where it cannot
}

const (
	namePattern     = `^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$`
	nameSays        = `a name of at most 40 small letters, digits and "-" that begins with a letter`
	variablePattern = `^[A-Za-z_][A-Za-z0-9_]{0,127}$`
	secretPattern   = `^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$`
	hostPattern     = `^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$`
	pathPattern     = `^/[^\s?#\x00-\x1f\x7f]*$`
	textPattern     = `^[^\x00]+$`
	relativePattern = `^[^/\x00-\x1f\x7f][^\x00-\x1f\x7f]*$`
	repoPattern     = `^[^-\s\x00-\x1f\x7f][^\x00-\x1f\x7f]*$`
	refPattern      = `^[^-\s\x00-\x1f\x7f][^\s\x00-\x1f\x7f]{0,254}$`
	reachPattern    = `^(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?):[1-9][0-9]{0,4}$`
	httpPattern     = `^https?://[^\s?#]+$`
	tokenPattern    = `^[A-Za-z0-9_-]{1,64}$`
	stagePattern    = `^[A-Za-z][A-Za-z0-9_.-]{0,127}$`
	volumePattern   = `^(/[A-Za-z0-9._@+-]+)+$`
)

// rules returns the rules by "Type.field".
func rules() map[string]rule {
	command := rule{some: true, items: 256, pattern: textPattern, says: "text that is not empty and without NUL", long: 32768}
	besideFile := rule{pattern: relativePattern, says: "a path relative to the App file", long: 1024}
	files := rule{items: 1000, pattern: relativePattern, says: "a path relative to the artifact", long: 1024}
	variables := rule{items: 256, keys: variablePattern, keySays: "the name of an environment variable"}
	name := rule{pattern: namePattern, says: nameSays}
	secret := rule{pattern: secretPattern, says: "a name of at most 64 letters, digits, _, . and -"}
	hour := time.Hour.Seconds()
	return map[string]rule{
		"App.apiVersion":          {enum: []string{fairlead.APIVersion}},
		"App.kind":                {enum: []string{fairlead.KindApp}},
		"Metadata.name":           name,
		"AppSpec.command":         command,
		"AppSpec.port":            {min: 1, max: 65535},
		"AppSpec.env":             variables,
		"AppSpec.drain":           {min: 0.001, max: 24 * hour},
		"AppSpec.runLimit":        {min: 0.001, max: 7 * 24 * hour},
		"AppSpec.timeout":         {min: 0.001, max: hour},
		"AppSpec.model":           files,
		"AppSpec.prompt":          files,
		"AppSpec.config":          files,
		"AppSpec.secrets":         {items: 100},
		"AppSpec.volumes":         {items: 32},
		"AppSpec.gates":           {items: 100},
		"AppSpec.environments":    {items: 20},
		"Artifact.directory":      besideFile,
		"Artifact.image":          {pattern: imagePattern, says: imageSays, long: longImage, wrong: wrongImage},
		"Artifact.dockerfile":     besideFile,
		"Artifact.context":        besideFile,
		"Artifact.target":         {pattern: stagePattern, says: "the name of a stage: letters, digits, _, . and -, with a letter first"},
		"Artifact.buildArgs":      {items: 256, keys: variablePattern, keySays: "the name of an ARG", any: true},
		"Artifact.archive":        besideFile,
		"Artifact.credentials":    secret,
		"GitSource.git":           {pattern: repoPattern, says: "a path or a URL", long: 1024},
		"GitSource.ref":           {pattern: refPattern, says: "a branch, a tag or a commit"},
		"GitSource.build":         {items: 256, pattern: textPattern, says: command.says, long: command.long},
		"GitSource.directory":     {pattern: relativePattern, says: "a path relative to the top of the clone", long: 1024},
		"GitSource.timeout":       {min: 1, max: 24 * hour},
		"Check.path":              {pattern: pathPattern, says: `a path that begins with "/"`, long: 1024},
		"Check.interval":          {min: 0.05, max: hour},
		"Check.timeout":           {min: 0.001, max: hour},
		"Check.failures":          {min: 1, max: 1000},
		"Check.deadline":          {min: 0.001, max: 24 * hour},
		"SecretRef.name":          secret,
		"SecretRef.version":       {min: 1, max: math.MaxInt32},
		"Resources.cpu":           {pattern: cpuPattern, says: `an amount of CPU such as "500m" or "2"`},
		"Resources.memory":        {pattern: memoryPattern, says: `an amount of memory such as "256Mi"`},
		"Resources.shm":           {pattern: memoryPattern, says: `an amount of memory such as "2Gi"`},
		"GPU.count":               {min: 1, max: 64},
		"GPU.memory":              {pattern: memoryPattern, says: `an amount of memory such as "16Gi"`},
		"GPU.share":               {min: 1, max: 100},
		"GPU.vendor":              {enum: []string{"nvidia", "amd"}},
		"Volume.name":             name,
		"Volume.path":             {pattern: volumePattern, says: `an absolute path of letters, digits, ., _, @, + and -, such as "/data"`, long: 255},
		"Volume.size":             {pattern: memoryPattern, says: `an amount of storage such as "10Gi"`},
		"Loosen.capabilities":     {items: 64, enum: capabilities(), wrong: wrongCapability},
		"Loosen.processes":        {min: 513, max: 65536},
		"Network.reach":           {items: 100, pattern: reachPattern, says: `"host:port"`},
		"Gate.name":               name,
		"Gate.command":            command,
		"Gate.timeout":            {min: 0.001, max: 24 * hour},
		"Gate.expires":            {min: 1, max: 366 * 24 * hour},
		"Gate.environments":       {items: 20, pattern: namePattern, says: "the name of an environment"},
		"Assignment.by":           {enum: []string{fairlead.BySession, fairlead.ByHeader, fairlead.ByAPIKey, fairlead.ByRun}},
		"Assignment.name":         {pattern: tokenPattern, says: "the name of a cookie or header"},
		"Route.host":              {pattern: hostPattern, says: "a host name in small letters, without port", long: 253},
		"Route.pathPrefix":        {pattern: pathPattern, says: `a path that begins with "/"`, long: 1024},
		"Environment.name":        name,
		"Environment.replicas":    {min: 1, max: 100},
		"Environment.sandbox":     {enum: []string{fairlead.SandboxRequired, fairlead.SandboxPreferred}},
		"Environment.env":         variables,
		"Strategy.type":           {enum: []string{fairlead.Canary, fairlead.BlueGreen, fairlead.Rolling, fairlead.Replace}},
		"Strategy.alpha":          {min: 0, max: 0.5, open: true},
		"Strategy.beta":           {min: 0, max: 0.5, open: true},
		"Strategy.tolerance":      {min: 1, max: 100},
		"Strategy.steps":          {items: 100, min: 0, max: 99.99},
		"Strategy.warmup":         {min: 0.001, max: 24 * hour},
		"Strategy.minStep":        {min: 0.001, max: 30 * 24 * hour},
		"Strategy.maxStep":        {min: 0.001, max: 30 * 24 * hour},
		"Strategy.onInconclusive": {enum: []string{fairlead.OnInconclusiveHold, fairlead.OnInconclusiveWiden, fairlead.OnInconclusiveRollback, fairlead.OnInconclusivePromote}},
		"Strategy.rollbackWindow": {min: 0.001, max: 30 * 24 * hour},
		"Strategy.holdback":       {min: 0, max: 50},
		"Strategy.signals":        {items: 20},
		"Strategy.guards":         {items: 20},
		"AppSpec.signals":         {items: 20},
		"SignalSpec.name":         name,
		"SignalSpec.kind":         {enum: []string{fairlead.KindFailure, fairlead.KindSuccess, fairlead.KindScore, fairlead.KindAmount, fairlead.KindPreference}},
		"Guard.name":              name,
		"Guard.prometheus":        {pattern: httpPattern, says: "the base URL of a server, such as http://127.0.0.1:9090", long: 1024},
		"Guard.query":             {pattern: textPattern, says: "a PromQL expression", long: 4096},
		"Guard.metric":            {pattern: textPattern, says: `a metric's name, with labels if need be: queue_depth{kind="gpu"}`, long: 1024},
		"Guard.path":              {pattern: pathPattern, says: `a path that begins with "/"`, long: 1024},
		"Guard.interval":          {min: 1, max: hour},
		"Guard.failures":          {min: 1, max: 1000},
		"Guard.onBreach":          {enum: []string{fairlead.OnInconclusiveHold, fairlead.OnInconclusiveRollback}},
		"Mirror.share":            {min: 0.01, max: 100},
		"Mirror.methods":          {items: 10, pattern: `^[A-Z]{1,20}$`, says: "a method in capital letters, such as POST"},
		"Margin.ratio":            {min: 1, max: 1000, open: true},
		"Margin.absolute":         {min: 0, max: 1, open: true},
		"Adaptive.first":          {min: 0.01, max: 99.99},
		"Adaptive.most":           {min: 0.01, max: 99.99},
	}
}
