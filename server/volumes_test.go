package server

import "testing"

func TestAVolumeIsTooFullAboveItsSizeAndFitsAgainWellBelowIt(t *testing.T) {
	const size = 1000
	was := false
	for _, step := range []struct {
		bytes int64
		want  bool
	}{{999, false}, {1000, false}, {1001, true}, {1000, true}, {951, true}, {950, false}, {990, false}} {
		if was = over(was, step.bytes, size); was != step.want {
			t.Errorf("with %d of %d bytes it is too full: %v, want %v", step.bytes, size, was, step.want)
		}
	}
}
