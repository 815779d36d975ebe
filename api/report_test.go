package api

import (
	"reflect"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/rollout/judge"
)

// fields returns the names in JSON of all fields of a type, those within it too.
func fields(t reflect.Type, path string, into map[string]reflect.Kind) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
		t = t.Elem()
	}
	into[path] = t.Kind()
	if t.Kind() != reflect.Struct {
		return
	}
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		fields(t.Field(i).Type, path+"/"+name, into)
	}
}

func TestTheReportOnTheWireIsTheJudges(t *testing.T) {
	ours, wire := map[string]reflect.Kind{}, map[string]reflect.Kind{}
	fields(reflect.TypeFor[judge.Report](), "", ours)
	fields(reflect.TypeFor[client.Report](), "", wire)
	for path, kind := range ours {
		if wire[path] != kind {
			t.Errorf("%s is of kind %s for the judge and of kind %s on the wire", path, kind, wire[path])
		}
	}
	for path := range wire {
		if _, known := ours[path]; !known {
			t.Errorf("the judge says nothing of %s", path)
		}
	}
}
