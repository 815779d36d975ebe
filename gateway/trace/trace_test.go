package trace_test

import (
	"bytes"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/gateway/trace"
)

var salt = []byte(strings.Repeat("salt", 8))

func drawn(t *rapid.T) trace.Trace {
	return trace.Trace{
		Second: rapid.Int64().Draw(t, "second"), Epoch: rapid.Uint32().Draw(t, "epoch"),
		Canary: rapid.Bool().Draw(t, "canary"), Mirrored: rapid.Bool().Draw(t, "mirrored"),
		Unit: rapid.Uint64().Draw(t, "unit"), Nonce: rapid.Uint64().Draw(t, "nonce"),
	}
}

func TestATokenSaysWhatWasSealed(t *testing.T) {
	k := trace.NewKey(salt)
	rapid.Check(t, func(t *rapid.T) {
		want := drawn(t)
		token := k.Seal(want)
		if got, err := trace.Open(salt, token); err != nil || got != want {
			t.Fatalf("got %+v, %v, want %+v", got, err, want)
		}
		if id, err := trace.Of(token); err != nil || id != trace.IDOf(salt) || id != k.ID() {
			t.Fatalf("made by %x, %v", id, err)
		}
		if len(token) != trace.Size || len(token) > 100 || strings.Trim(token, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			t.Fatalf("token %q", token)
		}
	})
}

func TestNoCharacterOfATokenCanBeChanged(t *testing.T) {
	k := trace.NewKey(salt)
	token := k.Seal(trace.Trace{Second: 1_700_000_000, Epoch: 1, Unit: 7})
	for i := range token {
		for _, c := range "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-\n=" {
			changed := token[:i] + string(c) + token[i+1:]
			if changed == token {
				continue
			}
			if got, err := k.Open(changed); fairlead.CodeOf(err) != fairlead.Invalid {
				t.Fatalf("%q in place of %q opens: %+v, %v", changed, token, got, err)
			}
		}
	}
	for _, bad := range []string{"", "1", token[1:], token + "A", " " + token, token[:len(token)-1]} {
		if _, err := k.Open(bad); fairlead.HintOf(err) == "" {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestATokenOfAnotherRolloutDoesNotOpen(t *testing.T) {
	token := trace.NewKey([]byte(strings.Repeat("other", 8))).Seal(trace.Trace{Second: 5})
	if _, err := trace.Open(salt, token); fairlead.CodeOf(err) != fairlead.Invalid {
		t.Fatalf("got %v", err)
	}
	if id, _ := trace.Of(token); id == trace.IDOf(salt) {
		t.Fatal("two rollouts have one id")
	}
}

// Beside the id, which a rollout's tokens share, tokens that differ in one thing have
// nothing in common: neither arm nor unit can be told from them.
func TestATokenShowsNeitherArmNorUnit(t *testing.T) {
	k := trace.NewKey(salt)
	base := trace.Trace{Second: 1_700_000_000, Epoch: 3, Unit: 42, Nonce: 1}
	canary, other, next := base, base, base
	canary.Canary, other.Unit, next.Nonce = true, 43, 2
	all := []string{k.Seal(base), k.Seal(canary), k.Seal(other), k.Seal(next)}
	for i, one := range all {
		for _, two := range all[:i] {
			same := 0
			for j := 1 + 12; j < len(one); j++ { // after version and id, which end within a character
				if one[j] == two[j] {
					same++
				}
			}
			if same > 8 { // of 59 by chance about one
				t.Errorf("%q and %q have %d characters in common", one, two, same)
			}
		}
	}
	if k.Seal(base) != all[0] {
		t.Error("a trace has two tokens")
	}
}

func TestAKeyIsForSeveralAtOnce(t *testing.T) {
	k := trace.NewKey(salt)
	done := make(chan bool)
	for i := range 4 {
		go func() {
			good := true
			for n := range 500 {
				want := trace.Trace{Unit: uint64(i), Nonce: uint64(n)}
				got, err := k.Open(k.Seal(want))
				good = good && err == nil && got == want
			}
			done <- good
		}()
	}
	for range 4 {
		if !<-done {
			t.Error("a token did not open")
		}
	}
}

func FuzzOpen(f *testing.F) {
	k := trace.NewKey(salt)
	f.Add(k.Seal(trace.Trace{}))
	f.Add(k.Seal(trace.Trace{Second: -1, Epoch: 1 << 31, Canary: true, Mirrored: true, Unit: 1 << 63}))
	f.Add(strings.Repeat("1", trace.Size))
	f.Add("")
	f.Fuzz(func(t *testing.T, token string) {
		got, err := k.Open(token)
		if err == nil && k.Seal(got) != token {
			t.Fatalf("%q opens as %+v, whose token is another", token, got)
		}
		if _, of := trace.Of(token); err == nil && of != nil {
			t.Fatalf("%q opens, but: %v", token, of)
		}
	})
}

func BenchmarkSeal(b *testing.B) {
	k := trace.NewKey(bytes.Repeat([]byte("s"), 32))
	b.ReportAllocs()
	for i := range b.N {
		k.Seal(trace.Trace{Second: 1_700_000_000, Epoch: 1, Unit: 42, Nonce: uint64(i)})
	}
}
