package container

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strconv"
)

// buildNetwork is the network of a build's commands, as an engine is asked for it.
type buildNetwork struct {
	mode  string // networkmode
	space string // nsoptions, of Podman alone: without them its commands run in the machine's own network, whatever the mode
}

// noNetwork is a loopback of its own and nothing else.
func noNetwork(podman bool) buildNetwork {
	if podman {
		return buildNetwork{mode: "NetworkDisabled", space: namespace("")}
	}
	return buildNetwork{mode: "none"}
}

// joining is, for Podman, the network that a file names.
func joining(path string) buildNetwork {
	return buildNetwork{mode: "NetworkDefault", space: namespace(path)} // disabled, it would be another one
}

// namespace writes a network namespace as Podman takes it: that of a file, or a new one.
func namespace(path string) string {
	text, _ := json.Marshal([]struct { // of nothing that cannot be written
		Name string
		Host bool
		Path string
	}{{"network", false, path}})
	return string(text)
}

// start begins a build and returns what the engine says of it. It asks by itself,
// for the client does not know Podman's namespaces.
func (b Build) start(ctx context.Context, e *Engine, network buildNetwork) (io.ReadCloser, error) {
	memory := strconv.FormatInt(b.Memory, 10)
	query := url.Values{
		"dockerfile": {b.Dockerfile}, "networkmode": {network.mode}, "rm": {"1"}, "forcerm": {"1"}, "version": {"1"},
		"memory": {memory}, "memswap": {memory}, "cpushares": {strconv.Itoa(buildShares)},
	}
	if network.space != "" {
		query.Set("nsoptions", network.space)
	}
	if len(b.Arguments) > 0 && e.Podman() { // it takes layers of other arguments for these (buildah's issue 5501), so it takes and leaves none
		query.Set("nocache", "1")
		query.Set("layers", "0")
	}
	if b.Target != "" {
		query.Set("target", b.Target)
	}
	arguments := map[string]string{}
	if b.Outlet != nil {
		arguments = proxyArguments(relayAt)
	}
	maps.Copy(arguments, b.Arguments)
	if len(arguments) > 0 {
		text, err := json.Marshal(arguments)
		if err != nil {
			return nil, err
		}
		query.Set("buildargs", string(text))
	}
	answer, err := e.ask(ctx, http.MethodPost, "/build?"+query.Encode(), b.Context)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode == http.StatusOK {
		return answer.Body, nil
	}
	defer answer.Body.Close()
	var why struct{ Message string }
	if err := json.NewDecoder(io.LimitReader(answer.Body, maxMessage)).Decode(&why); err != nil || why.Message == "" {
		return nil, fmt.Errorf("the engine answers %s", answer.Status)
	}
	return nil, errors.New(why.Message)
}
