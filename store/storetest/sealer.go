package storetest

import (
	"strings"
	"testing"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/ledger"
)

// RunSealer runs the suite of a sealer that is new for each test.
func RunSealer(t *testing.T, fresh func(t *testing.T) ledger.Sealer) {
	t.Run("a sealed text opens again and does not show itself", func(t *testing.T) {
		s := fresh(t)
		sealed := seal(t, s, "ada", "Ada Lovelace")
		if strings.Contains(string(sealed), "Ada") || strings.Contains(string(sealed), "ada") || !strings.HasPrefix(string(sealed), "sealed:v1:") {
			t.Errorf("sealed is %s", sealed)
		}
		wantText(t, s, sealed, "Ada Lovelace", false)
	})
	t.Run("one subject keeps one id and two have two", func(t *testing.T) {
		s := fresh(t)
		a, b, c := seal(t, s, "ada", "1"), seal(t, s, "ada", "1"), seal(t, s, "bob", "1")
		if id(t, a) != id(t, b) || id(t, a) == id(t, c) || a == b {
			t.Errorf("%s, %s, %s", a, b, c)
		}
	})
	t.Run("the system's own texts stay as they are", func(t *testing.T) {
		wantText(t, fresh(t), "system:rollout", "system:rollout", false)
	})
	t.Run("an erased subject is gone and its neighbour is not", func(t *testing.T) {
		s := fresh(t)
		a, b := seal(t, s, "ada", "Ada"), seal(t, s, "bob", "Bob")
		erase(t, s, "ada")
		erase(t, s, "ada")
		erase(t, s, "nobody")
		wantText(t, s, a, ledger.Erased, true)
		wantText(t, s, b, "Bob", false)
	})
	t.Run("an erased subject begins anew", func(t *testing.T) {
		s := fresh(t)
		old := seal(t, s, "ada", "Ada")
		erase(t, s, "ada")
		again := seal(t, s, "ada", "Ada")
		if id(t, old) == id(t, again) {
			t.Errorf("%s and %s have one id", old, again)
		}
		wantText(t, s, old, ledger.Erased, true)
		wantText(t, s, again, "Ada", false)
	})
	t.Run("a text that only looks erased is told apart", func(t *testing.T) {
		s := fresh(t)
		wantText(t, s, seal(t, s, "eve", ledger.Erased), ledger.Erased, false)
	})
	t.Run("changed and malformed texts are refused", func(t *testing.T) {
		s := fresh(t)
		a, b := seal(t, s, "ada", "Ada"), seal(t, s, "bob", "Bob")
		forged := fairlead.Sealed("sealed:v1:" + string(id(t, b)) + string(a)[len("sealed:v1:")+32:])
		_, err := s.Open(t.Context(), forged)
		wantCode(t, fairlead.Corrupt, err)
		for _, bad := range []fairlead.Sealed{"", "Ada", "sealed:v1:", "sealed:v2:" + a[10:], a + "=", a + "\n", a[:50]} {
			_, err := s.Open(t.Context(), bad)
			wantCode(t, fairlead.Invalid, err)
		}
		_, err = s.Seal(t.Context(), "", "x")
		wantCode(t, fairlead.Invalid, err)
	})
}

func seal(t *testing.T, s ledger.Sealer, subject, text string) fairlead.Sealed {
	t.Helper()
	sealed, err := s.Seal(t.Context(), subject, text)
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

func erase(t *testing.T, s ledger.Sealer, subject string) {
	t.Helper()
	if err := s.Erase(t.Context(), subject); err != nil {
		t.Fatal(err)
	}
}

func id(t *testing.T, s fairlead.Sealed) ledger.SubjectID {
	t.Helper()
	parts, err := ledger.ParseSealed(s)
	if err != nil {
		t.Fatal(err)
	}
	return parts.ID
}

func wantText(t *testing.T, s ledger.Sealer, sealed fairlead.Sealed, want string, erased bool) {
	t.Helper()
	text, err := s.Open(t.Context(), sealed)
	if err != nil || text != want {
		t.Errorf("opened %q, %v; want %q", text, err, want)
	}
	gone, err := s.Erased(t.Context(), sealed)
	if err != nil || gone != erased {
		t.Errorf("erased is %v, %v; want %v", gone, err, erased)
	}
}
