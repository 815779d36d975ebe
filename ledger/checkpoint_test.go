package ledger_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/ledger"
)

func TestACheckpointSaysWhatWasSigned(t *testing.T) {
	signer, verifier := newKey(t)
	_, signed := grown(t, 5, signer)
	c, err := ledger.OpenCheckpoint(signed, verifier)
	if err != nil || c.Size != 5 || c.Origin != signer.Origin() || !strings.HasPrefix(c.Origin, "fairlead.dev/ledger/") {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestAChangedOrForeignCheckpointIsRefused(t *testing.T) {
	signer, verifier := newKey(t)
	other, _ := newKey(t)
	_, signed := grown(t, 5, signer)
	_, foreign := grown(t, 5, other)
	for name, note := range map[string][]byte{
		"empty":         nil,
		"another size":  bytes.Replace(signed, []byte("\n5\n"), []byte("\n6\n"), 1),
		"another key":   foreign,
		"no signature":  signed[:bytes.Index(signed, []byte("\n\n"))+2],
		"much too long": append(bytes.Repeat([]byte("x\n"), 64<<10), signed...),
	} {
		if c, err := ledger.OpenCheckpoint(note, verifier); fairlead.CodeOf(err) != fairlead.Corrupt || err == nil {
			t.Errorf("%s: %+v, %v", name, c, err)
		}
	}
	if _, err := ledger.OpenCheckpoint(signed, "no key"); fairlead.CodeOf(err) != fairlead.Invalid {
		t.Errorf("%v", err)
	}
}

func TestAMalformedSigningKeyIsRefusedAndNotShown(t *testing.T) {
	key, _, err := ledger.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"", "nonsense", key[:len(key)-4], strings.Replace(key, "fairlead.dev", "example.com", 1)} {
		_, err := ledger.NewSigner(bad)
		if fairlead.CodeOf(err) != fairlead.Corrupt || fairlead.HintOf(err) == "" || bad != "" && strings.Contains(err.Error(), bad) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func FuzzOpenCheckpoint(f *testing.F) {
	signer, verifier := newKey(f)
	_, signed := grown(f, 5, signer)
	f.Add(signed)
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, err := ledger.OpenCheckpoint(data, verifier); err == nil && !bytes.Contains(data, signed[:20]) {
			t.Errorf("%q was never signed", data)
		}
	})
}
