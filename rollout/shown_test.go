package rollout_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/fairlead/fairlead/rollout"
)

func TestARolloutIsShownWithoutItsSalt(t *testing.T) {
	salt := bytes.Repeat([]byte{0xfb, 7}, 16)
	data, err := json.Marshal(rollout.Rollout{ID: "ro-1", To: 2, Salt: salt, Notes: []rollout.Note{{Text: "on its way"}}})
	if err != nil {
		t.Fatal(err)
	}
	kept := bytes.Clone(data)
	shown := rollout.Shown(data)
	if !bytes.Equal(data, kept) {
		t.Errorf("what the ledger keeps became %s", data)
	}
	if encoded, _ := json.Marshal(salt); bytes.Contains(shown, bytes.Trim(encoded, `"`)) {
		t.Errorf("its salt is shown: %s", shown)
	}
	var r rollout.Rollout
	if err := json.Unmarshal(shown, &r); err != nil || bytes.Equal(r.Salt, salt) || r.ID != "ro-1" || r.To != 2 || r.Notes[0].Text != "on its way" {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestWhatHasNoSaltIsShownAsItIs(t *testing.T) {
	for _, data := range []string{``, `null`, `[]`, `{}`, `{"salt":null}`, `{"salt":""}`, `{"salt":7}`, `{"text":"\"salt\":\"abcdefghijkl\""}`, `{"x":{"id":1}}`} {
		if got := rollout.Shown(json.RawMessage(data)); string(got) != data {
			t.Errorf("%s is shown as %s", data, got)
		}
	}
}
