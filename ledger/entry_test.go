package ledger_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/ledger"
)

// golden is a body as version 1 writes it, for ever: a change here is a new
// version of the leaf, not an edit.
const golden = `{"time":"2026-03-01T12:00:00.5Z","kind":"release.created","site":{"app":"triage","env":"prod"},` +
	`"principal":"system:test","data":{"a":[1,"\u003c"]},"rows":[{"kind":"release","key":"triage@1","value":{"n":1}},{"kind":"release","key":"triage@0"}]}`

func goldenEntry() fairlead.Entry {
	return fairlead.Entry{
		Seq: 7, Time: time.Date(2026, 3, 1, 13, 0, 0, 5e8, time.FixedZone("CET", 3600)), Kind: "release.created",
		Site: fairlead.Site{App: "triage", Env: "prod"}, Principal: "system:test",
		Data: json.RawMessage(" {\"a\": [1, \"<\"]} "),
		Rows: []fairlead.Row{
			{Kind: "release", Key: "triage@1", Value: json.RawMessage(`{"n": 1}`)},
			{Kind: "release", Key: "triage@0", Value: json.RawMessage(` null `)},
		},
	}
}

func TestABodyIsWhatItAlwaysWas(t *testing.T) {
	body, normal, err := ledger.Encode(goldenEntry())
	if err != nil || string(body) != golden {
		t.Fatalf("%s, %v", body, err)
	}
	back, err := ledger.Decode(7, body)
	if err != nil || !reflect.DeepEqual(back, normal) {
		t.Errorf("decoded %+v, encoded %+v, %v", back, normal, err)
	}
	var salt ledger.Salt
	copy(salt[:], "0123456789abcdef")
	const want = "mUciQU5+d63EYJTJ++NnBM3CovuHPbU3ZbE5tqWfvFY=" // computed with another program (Python's hashlib)
	if got := ledger.Commit(salt, body).Hash().String(); got != want {
		t.Errorf("the leaf is %s", got)
	}
}

func TestABodyOverTheLimitIsRefused(t *testing.T) {
	e := goldenEntry()
	e.Data, _ = json.Marshal(strings.Repeat("x", ledger.MaxBody))
	if _, _, err := ledger.Encode(e); fairlead.CodeOf(err) != fairlead.Invalid {
		t.Errorf("%v", err)
	}
}

func TestAForeignBodyIsCorrupt(t *testing.T) {
	for _, data := range []string{"", "null x", `{"kind":"a"}{}`, `{"seq":1}`, `{"mystery":1}`, "[]", `{"time":"today"}`} {
		if e, err := ledger.Decode(0, []byte(data)); fairlead.CodeOf(err) != fairlead.Corrupt || err == nil {
			t.Errorf("%q is read as %+v, %v", data, e, err)
		}
	}
}

// FuzzDecode checks that what decodes also encodes, unless Encode has a reason to
// refuse it, and that encoding is then stable.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(golden))
	f.Add([]byte(`{"time":"2026-03-01T12:00:00Z","kind":"a","site":{"app":"","env":""},"principal":"system:x","data":null}`))
	f.Add([]byte(`{"time":"2026-03-01T12:00:00+01:00","kind":"a","principal":"system:x","rows":[{"kind":"k","key":"1","value":"\u2028 "}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := ledger.Decode(3, data)
		if err != nil {
			return
		}
		body, normal, err := ledger.Encode(e)
		if err != nil {
			return
		}
		again, err := ledger.Decode(3, body)
		if err != nil {
			t.Fatalf("%s does not decode: %v", body, err)
		}
		if !reflect.DeepEqual(again, normal) {
			t.Errorf("%+v became %+v", normal, again)
		}
		if twice, _, err := ledger.Encode(again); err != nil || !bytes.Equal(twice, body) {
			t.Errorf("%s became %s, %v", body, twice, err)
		}
	})
}

func TestAHeadIsReadFromABeginningOfTheBody(t *testing.T) {
	e := fairlead.Entry{
		Time: time.Date(2026, 3, 1, 12, 0, 0, 5, time.UTC), Kind: "rollout.began", Site: fairlead.Site{App: "triage", Env: "production"},
		Principal: "system:rollout", Data: json.RawMessage(`{"a":1}`), Rows: []fairlead.Row{{Kind: "rollout", Key: "r", Value: json.RawMessage(`{}`)}},
	}
	body, _, err := ledger.Encode(e)
	if err != nil {
		t.Fatal(err)
	}
	want := e
	want.Seq, want.Data, want.Rows = 7, nil, nil
	until := bytes.Index(body, []byte(`,"data"`))
	for n := range len(body) + 1 {
		head, err := ledger.DecodeHead(7, body[:n])
		switch {
		case n < until && err == nil:
			t.Fatalf("%d bytes of %d are taken for a head: %+v", n, until, head)
		case n >= until && (err != nil || !reflect.DeepEqual(head, want)):
			t.Fatalf("of %d bytes: %+v, %v", n, head, err)
		}
	}
	for _, other := range []string{``, `[]`, `{}`, `"x"`, `{"kind":"a","other":1}`, `{"kind":"a","kind":"b"}`, `{"kind":1}`, `{"time":"noon"}`} {
		if _, err := ledger.DecodeHead(7, []byte(other)); fairlead.CodeOf(err) != fairlead.Corrupt {
			t.Errorf("%q: %v", other, err)
		}
	}
}
