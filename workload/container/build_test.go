package container_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/workload/container"
	"github.com/fairlead/fairlead/workload/container/enginetest"
)

func TestTheBasesOfADockerfileAreFound(t *testing.T) {
	for _, c := range []struct {
		file string
		want []string
	}{
		{"FROM scratch\nCOPY a /a\n", nil},
		{"# syntax=docker/dockerfile:1\nARG V=3.12\nARG FLAVOUR\nFROM python:${V}-slim AS build\nRUN true \\\n && FROM no\nFROM --platform=linux/amd64 gcr.io/distroless/static\nCOPY --from=build /a /a\nCOPY --from=0 /a /b\nCOPY --chown=1:1 --from=busybox:1 /bin/sh /c\n", []string{"python:3.12-slim", "gcr.io/distroless/static", "busybox:1"}},
		{"FROM golang:1 as build\nFROM build\n", []string{"golang:1"}},
		{"FROM golang:1 AS Build\nFROM build\n", []string{"golang:1"}},
		{"ARG V=1\nFROM a:$V\nARG V=2\nFROM b:$V\n", []string{"a:1", "b:1"}},
		{"from a:${V:-7}\nFROM a:7\n", []string{"a:7"}},
	} {
		got, err := container.Bases([]byte(c.file), nil, "")
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%q: %v, %v, want %v", c.file, got, err, c.want)
		}
	}
	if _, err := container.Bases([]byte("ARG V\nFROM a:$V\n"), nil, ""); fairlead.CodeOf(err) != fairlead.Invalid {
		t.Errorf("an argument without a value: %v", err)
	}
}

func TestTheBasesOfABuildAreThoseOfItsArgumentsAndItsTarget(t *testing.T) {
	const file = "ARG V=1\nARG ALL=$V-slim\nFROM python:$ALL AS base\nARG MODEL\nFROM base AS Debug\nCOPY --from=tools:2 /a /a\nFROM other:$LATE\n"
	for _, c := range []struct {
		arguments map[string]string
		target    string
		want      []string
		refused   string // a part of why
	}{
		{nil, "base", []string{"python:1-slim"}, ""},
		{map[string]string{"V": "3", "MODEL": "small"}, "base", []string{"python:3-slim"}, ""},
		{map[string]string{"ALL": `"4"`, "https_proxy": "http://proxy:1"}, "Debug", []string{`python:"4"`, "tools:2"}, ""},
		{nil, "", nil, `"other:$LATE" has no value`},
		{nil, "debug", nil, "no stage debug"},
		{map[string]string{"MODLE": "small"}, "base", nil, "no ARG MODLE"},
		{map[string]string{"V": "$HOME"}, "base", nil, "has no value"},
	} {
		got, err := container.Bases([]byte(file), c.arguments, c.target)
		if !slices.Equal(got, c.want) || (err == nil) != (c.refused == "") || err != nil && (!strings.Contains(err.Error(), c.refused) || fairlead.CodeOf(err) != fairlead.Invalid || fairlead.HintOf(err) == "") {
			t.Errorf("%v, target %q: %v, %v", c.arguments, c.target, got, err)
		}
	}
	twice := "FROM a AS x\nFROM b AS X\n"
	if _, err := container.Bases([]byte(twice), nil, "x"); fairlead.CodeOf(err) != fairlead.Invalid {
		t.Errorf("a target that two stages are called: %v", err)
	}
}

func TestABuildTakesItsArgumentsAndStopsAtItsTarget(t *testing.T) {
	withEngines(t, func(t *testing.T, e *container.Engine, _ *enginetest.Engine) {
		dir := lay(t, map[string]string{"Dockerfile": "FROM scratch AS Serve\nARG MODEL=none\nENV MODEL=$MODEL\nCOPY app /app\nENTRYPOINT [\"/app\"]\nFROM scratch\nCOPY never /never\n", "app": "x"})
		for _, model := range []string{"small", "$HOME \"large\"", "none"} { // none is what it is without the argument
			arguments := map[string]string{"MODEL": model}
			if model == "none" {
				arguments = nil
			}
			id, log, err := e.Build(t.Context(), container.Build{
				Context: bytes.NewReader(packed(t, dir)), Dockerfile: "Dockerfile", Within: time.Minute, Target: "Serve", Arguments: arguments,
			})
			if err != nil {
				t.Fatalf("%v\n%s", err, log)
			}
			found, err := e.Image(t.Context(), string(id))
			if err != nil || !slices.Equal(found.Command, []string{"/app"}) || !strings.Contains(string(found.Config), "MODEL="+strings.ReplaceAll(model, `"`, `\"`)) {
				t.Errorf("%q: %s, %v", model, found.Config, err)
			}
		}
	})
}

func TestAnImageIsBuiltAndWhatFailsShowsItsLog(t *testing.T) {
	withEngines(t, func(t *testing.T, e *container.Engine, _ *enginetest.Engine) {
		build := func(files map[string]string, file string) (fairlead.Digest, string, error) {
			id, log, err := e.Build(t.Context(), container.Build{
				Context: bytes.NewReader(packed(t, lay(t, files))), Dockerfile: file, Within: time.Minute,
			})
			return id, string(log), err
		}
		id, log, err := build(map[string]string{"build/Dockerfile": "FROM scratch\nCOPY app /app\nENTRYPOINT [\"/app\"]\n", "app": "x"}, "build/Dockerfile")
		if err != nil {
			t.Fatalf("%v\n%s", err, log)
		}
		if found, err := e.Image(t.Context(), string(id)); err != nil || !slices.Equal(found.Command, []string{"/app"}) {
			t.Errorf("%+v, %v", found, err)
		}
		if !strings.Contains(log, "COPY app /app") {
			t.Errorf("the log: %s", log)
		}
		for what, text := range map[string]string{
			"a file that is not there": "FROM scratch\nCOPY none /none\n",
			"a command that fails":     "FROM scratch\nCOPY app /app\nRUN [\"/app\"]\n",
			"no Dockerfile":            "what is this\n",
		} {
			_, log, err := build(map[string]string{"Dockerfile": text, "app": "x"}, "Dockerfile")
			if fairlead.CodeOf(err) != fairlead.Invalid || fairlead.HintOf(err) == "" {
				t.Errorf("%s: %v\n%s", what, err, log)
			}
		}
		_, log, err = build(map[string]string{"Dockerfile": "FROM scratch\nCOPY <<EOF /greeting\nhello\nEOF\n"}, "Dockerfile")
		if fairlead.CodeOf(err) != fairlead.Invalid || !strings.Contains(fairlead.HintOf(err), "without BuildKit") {
			t.Errorf("a file for BuildKit: %v, %s\n%s", err, fairlead.HintOf(err), log)
		}
	})
}

func TestABuildsCommandsHaveAMemoryLimit(t *testing.T) {
	program, err := os.ReadFile(programs("image/app"))
	if err != nil {
		t.Fatal(err)
	}
	withEngines(t, func(t *testing.T, e *container.Engine, _ *enginetest.Engine) {
		dir := lay(t, map[string]string{"Dockerfile": "FROM scratch\nCOPY app /app\nRUN [\"/app\", \"hog\"]\n", "app": string(program)})
		if err := os.Chmod(filepath.Join(dir, "app"), 0o755); err != nil {
			t.Fatal(err)
		}
		_, log, err := e.Build(t.Context(), container.Build{Context: bytes.NewReader(packed(t, dir)), Dockerfile: "Dockerfile", Within: time.Minute, Memory: 64 << 20})
		if fairlead.CodeOf(err) != fairlead.Invalid || !strings.Contains(err.Error()+string(log), "137") && !strings.Contains(string(log), "killed") {
			t.Errorf("a build that takes all memory: %v\n%s", err, log)
		}
	})
}
