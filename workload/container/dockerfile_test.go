package container_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/workload/container"
	"github.com/fairlead/fairlead/workload/container/enginetest"
)

func TestAnEngineFetchesNothingForABuild(t *testing.T) {
	for _, dockerfile := range []string{
		"FROM scratch\nADD http://127.0.0.1:1/x /x\n",
		"FROM scratch\nadd --chown=1:1 a https://host/x /x/\n",
		"FROM scratch\nAD\\\nD ht\\ \n# a comment\ntp://127.0.0.1:1/x /x\n",
		"# escape=`\nFROM scratch\nADD `\n http:/`\n/127.0.0.1:1/x /x\n",
		"FROM scratch\nADD [\"http:\\u002f/127.0.0.1:1/x\", \"/x\"]\n",
		"FROM scratch\nADD http:\"//\"127.0.0.1:1/x /x\n",
		"FROM scratch\nENV FROM=http://127.0.0.1:1/x\nADD $FROM /x\n",
		"FROM scratch AS a\nONBUILD ADD http://127.0.0.1:1/x /x\nFROM a\n",
		"FROM scratch AS a\nONBUILD onbuild \\\n ADD http://127.0.0.1:1/x /x\nFROM a\n",
		"# a comment\n# escape=`\nFROM scratch\nLABEL a=b `\nADD http://127.0.0.1:1/x /x\n",
		"FROM scratch\nENV A=b\\\r \nADD http://127.0.0.1:1/x /x\n",
		"FROM scratch\nENV A=b\\\v\nRUN x\n",
	} {
		if _, err := container.Bases([]byte(dockerfile), nil, ""); fairlead.CodeOf(err) != fairlead.Invalid || fairlead.HintOf(err) == "" {
			t.Errorf("%q: %v", dockerfile, err)
		}
	}
	if bases, err := container.Bases([]byte("# made elsewhere\r\nFROM team/a\r\nRUN a \\\r\n\tb --c\r\n"), nil, ""); err != nil || len(bases) != 1 {
		t.Errorf("a file of another system: %v, %v", bases, err)
	}
	for _, open := range []string{"RUN --mount=type=bind,target=/m x", "run --network=host x", "ONBUILD RUN --security=insecure x"} {
		if _, err := container.Bases([]byte("FROM scratch\n"+open+"\n"), nil, ""); fairlead.CodeOf(err) != fairlead.Unsupported || fairlead.HintOf(err) == "" {
			t.Errorf("%s: %v", open, err)
		}
	}
	if bases, err := container.Bases([]byte("\ufeffFRO\\\nM team/a\nADD model.tar /model\nCOPY $X /x\n"), nil, ""); err != nil || len(bases) != 1 || bases[0] != "team/a" {
		t.Errorf("what fetches nothing: %v, %v", bases, err)
	}
	for _, trigger := range []string{"ADD http://127.0.0.1:1/x /x", "RUN --mount=type=bind,target=/m x", "RUN x \\\r "} {
		if err := (container.Image{OnBuild: []string{"RUN x", trigger}}).Fetches(); err == nil {
			t.Errorf("a base that has its builds do %q", trigger)
		}
	}
	if err := (container.Image{OnBuild: []string{"COPY . /srv", "ADD a.tar /"}}).Fetches(); err != nil {
		t.Error(err)
	}
}

// Why it is refused: the engine's own network is not the build's.
func TestAnEngineFetchesFromItsOwnNetwork(t *testing.T) {
	engine := enginetest.Start(t, "docker")
	asked := make(chan struct{}, 1)
	machine := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		select {
		case asked <- struct{}{}:
		default:
		}
		fmt.Fprint(w, "the machine")
	}))
	defer machine.Close()
	opened, err := container.Open(t.Context(), engine.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Close()
	files := map[string]string{"Dockerfile": "FROM scratch\nADD " + machine.URL + "/x /x\n"}
	_, log, err := opened.Build(t.Context(), container.Build{Context: bytes.NewReader(packed(t, lay(t, files))), Dockerfile: "Dockerfile", Within: time.Minute})
	select {
	case <-asked:
	default:
		t.Errorf("it asks no more, and need not be refused: %v %s", err, strings.TrimSpace(string(log)))
	}
}

func TestAPasswordIsForOneRegistry(t *testing.T) {
	corp, other := "registry.corp/base:1", "python:3"
	if err := container.ForAll([]byte("ann:secret\n"), []string{corp, other}); fairlead.CodeOf(err) != fairlead.Invalid || strings.Contains(err.Error(), "secret\n") {
		t.Errorf("a password for two: %v", err)
	}
	for secret, images := range map[string][]string{"ann:secret": {corp, "registry.corp/tools:2"}, `{"auths": {}}`: {corp, other}} {
		if err := container.ForAll([]byte(secret), images); err != nil {
			t.Errorf("%s for %v: %v", secret, images, err)
		}
	}
}
