package server

import (
	"errors"
	"strings"
	"testing"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/workload"
)

func TestAProgramThatNoContainerCanStartIsTheMachinesFault(t *testing.T) {
	r := fairlead.Release{App: "triage", Number: 1, Content: fairlead.Content{Image: &fairlead.Image{}}}
	f := fleet{program: "/bin/sh"}
	if err := f.ableTo(r); !errors.As(err, &workload.Unable{}) || !strings.Contains(err.Error(), "CGO_ENABLED=0") {
		t.Errorf("a program that no container can start: %v", err)
	}
	if err := f.ableTo(fairlead.Release{}); err != nil {
		t.Errorf("a release without an image: %v", err)
	}
}
