package fairlead_test

import (
	"reflect"
	"testing"

	"github.com/fairlead/fairlead"
)

func TestLoosenessIsToldInWordsOneForEachThingAllowed(t *testing.T) {
	all := reflect.ValueOf(fairlead.Loosen{Root: true, WritableRoot: true, Capabilities: []string{"KILL"}, Privileges: true, Seccomp: true, Processes: 1024})
	for i := range all.NumField() {
		var one fairlead.Loosen
		reflect.ValueOf(&one).Elem().Field(i).Set(all.Field(i))
		if words := one.Words(); len(words) != 1 {
			t.Errorf("%+v is told as %q", one, words)
		}
	}
	if words := (*fairlead.Loosen)(nil).Words(); len(words) != 0 {
		t.Errorf("nothing is told as %q", words)
	}
}
