package images

import (
	"testing"

	"github.com/fairlead/fairlead"
)

// move pushes another image by a name that the engine goes on to have for an older one.
func (y *yard) move(repository, tag, prompt string, older fairlead.Digest) {
	y.Helper()
	name := y.registry + "/" + repository
	y.build(name+":"+tag, prompt)
	y.real.Push(y, name, tag)
	newer, err := y.engine.used().Image(y.Context(), name+":"+tag)
	if err == nil {
		err = y.engine.used().Tag(y.Context(), older, name+":"+tag)
	}
	if err != nil {
		y.Fatal(err)
	}
	y.lose(string(newer.ID))
}

func TestWhatWasFetchedForUsLeavesTheEngineWithUsAndWhatWasThereStays(t *testing.T) {
	eachYard(t, func(y *yard) {
		moving, theirs := y.push("team/moving", "1", "one"), y.push("team/theirs", "1", "theirs")
		if err := y.real.Try("POST", "/images/create?fromImage="+theirs, nil, nil); err != nil {
			y.Fatal(err)
		}
		var releases []fairlead.Release
		release := func(name string) fairlead.Release {
			y.Helper()
			r := y.released(y.make(fairlead.Artifact{Image: name}, ""), len(releases)+1)
			if err := y.Keep(y.Context(), r); err != nil {
				y.Fatal(err)
			}
			releases = append(releases, r)
			return r
		}
		first := release(moving)
		y.move("team/moving", "1", "two", first.Content.Image.ID)
		second := release(moving)
		release(theirs)
		if first.Content.Image.ID == second.Content.Image.ID {
			y.Fatal("the tag names the same image still")
		}
		if err := y.Forget(y.Context(), releases); err != nil {
			y.Fatal(err)
		}
		for _, r := range releases[:2] {
			if found, err := y.engine.used().Image(y.Context(), string(r.Content.Image.ID)); fairlead.CodeOf(err) != fairlead.NotFound {
				y.Errorf("the image of %s is left: %+v, %v", r.Name(), found.ID, err)
			}
		}
		if _, err := y.engine.used().Image(y.Context(), theirs); err != nil {
			y.Errorf("what was there before is gone: %v", err)
		}
		if _, err := y.Provide(y.Context(), second, "production"); err != nil {
			y.Errorf("it cannot be brought back: %v", err)
		}
		if err := y.Forget(y.Context(), releases); err != nil {
			y.Fatal(err)
		}
		if _, err := y.engine.used().Image(y.Context(), string(second.Content.Image.ID)); fairlead.CodeOf(err) != fairlead.NotFound {
			y.Errorf("what was brought back is left: %v", err)
		}
	})
}
