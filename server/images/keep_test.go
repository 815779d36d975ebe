package images

import (
	"strings"
	"testing"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/workload/container"
)

func TestOnlyOurNamesOfReleasesThatAreGoneAreTakenFromTheEngine(t *testing.T) {
	eachYard(t, func(y *yard) {
		y.build("localhost/mine:1", "mine")
		imaged := y.make(fairlead.Artifact{Image: "localhost/mine:1"}, "")
		kept, gone := y.released(imaged, 1), y.released(imaged, 2)
		for _, r := range []fairlead.Release{kept, gone} {
			if err := y.Keep(y.Context(), r); err != nil {
				y.Fatal(err)
			}
		}
		owner, err := container.Owner(y.root)
		if err != nil {
			y.Fatal(err)
		}
		others := []string{ // of another installation, and of a person
			keepName("triage", 2, strings.Repeat("0", 32)), prefix + "triage:2", "localhost/mine:1",
		}
		for _, name := range others[:2] {
			if err := y.engine.used().Tag(y.Context(), imaged.Image.ID, name); err != nil {
				y.Fatal(err)
			}
		}
		if err := y.Sweep(y.Context(), []fairlead.Release{kept}); err != nil {
			y.Fatal(err)
		}
		for _, name := range append(others, keepName("triage", 1, owner)) {
			if _, err := y.engine.used().Image(y.Context(), name); err != nil {
				y.Errorf("%s is gone: %v", name, err)
			}
		}
		if _, err := y.engine.used().Image(y.Context(), keepName("triage", 2, owner)); fairlead.CodeOf(err) != fairlead.NotFound {
			y.Errorf("the name of a release that is gone is there: %v", err)
		}
	})
}
