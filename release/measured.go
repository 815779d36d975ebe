package release

import (
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/internal/figures"
)

// within is the type of what a value of type t has under a key, as its JSON names it; of
// a list or a map it is that of all that it holds. It is nil where it is not known.
func within(t reflect.Type, key string) reflect.Type {
	if t == nil {
		return nil
	}
	switch t.Kind() {
	case reflect.Pointer:
		return within(t.Elem(), key)
	case reflect.Map, reflect.Slice:
		return t.Elem()
	case reflect.Struct:
		for i := range t.NumField() {
			if name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ","); name == key {
				return t.Field(i).Type
			}
		}
	}
	return nil
}

// measured writes a scalar of JSON, which is of type t, with its unit: "1 min", "25 %",
// "1 in 300". Different values never read alike.
func measured(name string, v any, t reflect.Type) string {
	raw := fmt.Sprint(v)
	if t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t {
	case reflect.TypeFor[fairlead.Duration]():
		var d fairlead.Duration
		if d.UnmarshalText([]byte(raw)) == nil {
			return figures.Exactly(d.D())
		}
	case reflect.TypeFor[fairlead.Percent]():
		return raw + " %"
	case reflect.TypeFor[float64]():
		if p, err := strconv.ParseFloat(raw, 64); err == nil {
			return share(name[strings.LastIndexByte(name, '.')+1:], p, raw)
		}
	}
	return raw
}

// share writes a number that by its name is a probability or a difference of shares, and
// any other as it is.
func share(name string, p float64, raw string) string {
	switch n, points := math.Round(1/p), strconv.FormatFloat(100*p, 'g', 12, 64); {
	case (name == "alpha" || name == "beta") && 1/n == p:
		return "1 in " + strconv.FormatFloat(n, 'f', -1, 64)
	case name == "absolute" && points == "1":
		return "1 percentage point"
	case name == "absolute":
		if back, err := strconv.ParseFloat(points, 64); err == nil && back/100 == p {
			return points + " percentage points"
		}
	}
	return raw
}
