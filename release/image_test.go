package release

import (
	"slices"
	"testing"

	"github.com/fairlead/fairlead"
)

func TestAFileThatSaysWhatIsRunAndWhereGoesBeforeItsImage(t *testing.T) {
	for _, c := range []struct {
		what        string
		image       Imaged
		file, wants fairlead.AppSpec
	}{
		{"all is the image's", Imaged{Command: []string{"/app"}, Port: 9000}, fairlead.AppSpec{}, fairlead.AppSpec{Command: []string{"/app"}, Port: 9000}},
		{"all is the file's", Imaged{Command: []string{"/app"}, Port: 9000},
			fairlead.AppSpec{Command: []string{"/other"}, Port: 7000}, fairlead.AppSpec{Command: []string{"/other"}, Port: 7000}},
		{"no port is said", Imaged{Command: []string{"/app"}}, fairlead.AppSpec{}, fairlead.AppSpec{Command: []string{"/app"}, Port: 8080}},
	} {
		err := c.image.complete(&c.file)
		if err != nil || !slices.Equal(c.file.Command, c.wants.Command) || c.file.Port != c.wants.Port {
			t.Errorf("%s: %v at %d, %v", c.what, c.file.Command, c.file.Port, err)
		}
	}
	if err := (Imaged{Port: 9000}).complete(&fairlead.AppSpec{}); fairlead.CodeOf(err) != fairlead.Invalid || fairlead.HintOf(err) == "" {
		t.Errorf("an image without a program: %v", err)
	}
}
