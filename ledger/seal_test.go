package ledger_test

import (
	"strings"
	"testing"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/ledger"
)

func TestASealedTextOpensWithItsKeyAlone(t *testing.T) {
	key, id := ledger.NewSealingKey(), ledger.NewSubjectID()
	for _, text := range []string{"", "Ada", strings.Repeat("é", 1000)} {
		sealed, err := key.Seal(id, text)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := key.Open(sealed); err != nil || got != text {
			t.Errorf("opened %q, %v", got, err)
		}
		if got, err := ledger.NewSealingKey().Open(sealed); fairlead.CodeOf(err) != fairlead.Corrupt || got != "" {
			t.Errorf("another key opens %q, %v", got, err)
		}
		last := sealed[:len(sealed)-2] + "AA"
		if got, err := key.Open(last); err == nil && last != sealed {
			t.Errorf("a changed text opens as %q", got)
		}
	}
	if _, err := key.Seal(id, strings.Repeat("x", 64<<10)); fairlead.CodeOf(err) != fairlead.Invalid {
		t.Errorf("a text that is too long: %v", err)
	}
}

// FuzzParseSealed checks that only exact forms are taken, so that one sealed text
// has one spelling, and that none opens under a key that did not seal it.
func FuzzParseSealed(f *testing.F) {
	sealed, err := ledger.NewSealingKey().Seal(ledger.NewSubjectID(), "Ada")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(sealed))
	f.Add("sealed:v1:00000000000000000000000000000000:")
	f.Add("system:rollout")
	key := ledger.NewSealingKey()
	f.Fuzz(func(t *testing.T, s string) {
		parts, err := ledger.ParseSealed(fairlead.Sealed(s))
		if err != nil {
			if fairlead.CodeOf(err) != fairlead.Invalid {
				t.Errorf("%v", err)
			}
			return
		}
		if !strings.HasPrefix(s, "sealed:v1:"+string(parts.ID)+":") || len(parts.ID) != 32 || strings.ContainsAny(s, " \n=") {
			t.Errorf("%q is taken as of %s", s, parts.ID)
		}
		if text, err := key.Open(fairlead.Sealed(s)); err == nil {
			t.Errorf("%q opens as %q under a foreign key", s, text)
		}
	})
}

func TestFactsThatAnEntryRestsOnAreFound(t *testing.T) {
	start := ledger.FactsStart("s")
	if ledger.FactsStart("r") == start || ledger.FactsNext(start, []byte("1")) == ledger.FactsNext(start, []byte("2")) {
		t.Error("different streams or facts have one digest")
	}
	if got := ledger.FactsNext("sha256:short", []byte("1")); got.Valid() {
		t.Errorf("a malformed digest goes on as %s", got)
	}
	for data, want := range map[string]bool{
		`{"facts":{"stream":"s","n":3,"digest":"sha256:x"}}`: true,
		`{"facts":{"stream":""}}`:                            false,
		`{"facts":[]}`:                                       false,
		`{"other":1}`:                                        false,
		`["facts"]`:                                          false,
		``:                                                   false,
	} {
		if ref, ok := ledger.FactsRefOf([]byte(data)); ok != want || ok && ref.N != 3 {
			t.Errorf("%s: %+v, %v", data, ref, ok)
		}
	}
}
