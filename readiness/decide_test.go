package readiness_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/readiness"
)

var (
	now     = time.Date(2026, 1, 2, 3, 4, 5, 600, time.UTC)
	hour    = fairlead.Duration(time.Hour)
	tests   = fairlead.Gate{Name: "tests", Command: []string{"./test"}, Timeout: hour, Expires: 24 * hour}
	scan    = fairlead.Gate{Name: "scan", Command: []string{"./scan", "-v"}, Timeout: hour, Expires: hour, Environments: []string{"production"}}
	both    = []fairlead.Gate{tests, scan}
	release = fairlead.DigestOf([]byte("release"))
	other   = fairlead.DigestOf([]byte("another release"))
)

func newSigner(t testing.TB) *readiness.Signer {
	t.Helper()
	signer, err := readiness.OpenSigner(filepath.Join(t.TempDir(), "key"))
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

func passed(gate fairlead.Gate, ended time.Time) readiness.Evidence {
	return readiness.Evidence{
		Gate: gate.Name, Env: "production", Digest: release, Command: readiness.CommandDigest(gate), Passed: true,
		OutputDigest: fairlead.DigestOf([]byte("ok\n")), Output: "ok\n",
		Started: ended.Add(-time.Minute), Ended: ended, Expires: ended.Add(gate.Expires.D()),
	}
}

func failed(gate fairlead.Gate, ended time.Time) readiness.Evidence {
	e := passed(gate, ended)
	e.Passed, e.ExitCode, e.Output = false, 3, "one\n2 of 9 cases wrong\n"
	return e
}

func sign(t testing.TB, signer *readiness.Signer, e readiness.Evidence) readiness.Evidence {
	t.Helper()
	signed, err := signer.Sign(e)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func TestDecideTellsTheStateOfEachDemandedGate(t *testing.T) {
	signer := newSigner(t)
	s := func(e readiness.Evidence) readiness.Evidence { return sign(t, signer, e) }
	early := now.Add(-time.Minute)
	for name, c := range map[string]struct {
		env      string
		evidence []readiness.Evidence
		want     readiness.Verdict
	}{
		"nothing": {"production", nil, readiness.Verdict{Missing: []string{"tests", "scan"},
			Why: []string{"gate tests has no evidence", "gate scan has no evidence"}}},
		"all": {"production", []readiness.Evidence{s(passed(scan, early)), s(passed(tests, early))},
			readiness.Verdict{Satisfied: []string{"tests", "scan"}, Until: early.Add(time.Hour)}},
		"failed": {"production", []readiness.Evidence{s(failed(tests, early)), s(passed(scan, early))},
			readiness.Verdict{Satisfied: []string{"scan"}, Failed: []string{"tests"}, Until: early.Add(time.Hour),
				Why: []string{"gate tests failed: exit status 3, 2 of 9 cases wrong"}}},
		"failed, then passed": {"production", []readiness.Evidence{s(passed(tests, now)), s(failed(tests, early)), s(passed(scan, early))},
			readiness.Verdict{Satisfied: []string{"tests", "scan"}, Until: early.Add(time.Hour)}},
		"passed, then failed": {"production", []readiness.Evidence{s(failed(tests, now)), s(passed(tests, early)), s(passed(scan, early))},
			readiness.Verdict{Satisfied: []string{"scan"}, Failed: []string{"tests"}, Until: early.Add(time.Hour),
				Why: []string{"gate tests failed: exit status 3, 2 of 9 cases wrong"}}},
		"expired this instant": {"production", []readiness.Evidence{s(passed(tests, early)), s(passed(scan, now.Add(-time.Hour)))},
			readiness.Verdict{Satisfied: []string{"tests"}, Expired: []string{"scan"}, Until: early.Add(24 * time.Hour),
				Why: []string{"the evidence of gate scan expired at 2026-01-02T03:04:05Z"}}},
		"another environment demands less, and its evidence is its own": {"dev", []readiness.Evidence{s(passed(tests, early))},
			readiness.Verdict{Missing: []string{"tests"}, Why: []string{"gate tests has no evidence"}}},
	} {
		got := readiness.Decide(now, signer.Public(), both, c.env, release, c.evidence)
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s:\n%+v\nwant\n%+v", name, got, c.want)
		}
	}
	if none := readiness.Decide(now, signer.Public(), nil, "dev", release, nil); !none.Holds() {
		t.Error("no gates are not satisfied")
	}
}

// forge decodes an envelope's payload, changes it, and puts it back unsigned.
func forge(t *testing.T, e readiness.Evidence, change func(statement map[string]any)) readiness.Evidence {
	t.Helper()
	var outer map[string]any
	if err := json.Unmarshal(e.Envelope, &outer); err != nil {
		t.Fatal(err)
	}
	payload, err := base64.StdEncoding.DecodeString(outer["payload"].(string))
	if err != nil {
		t.Fatal(err)
	}
	var statement map[string]any
	if err := json.Unmarshal(payload, &statement); err != nil {
		t.Fatal(err)
	}
	change(statement)
	payload, _ = json.Marshal(statement)
	outer["payload"] = base64.StdEncoding.EncodeToString(payload)
	e.Envelope, _ = json.Marshal(outer)
	return e
}

func TestTamperedEvidenceNeverSatisfies(t *testing.T) {
	signer, stranger := newSigner(t), newSigner(t)
	good := sign(t, signer, passed(tests, now))
	bad := sign(t, signer, failed(tests, now))
	gates := []fairlead.Gate{tests}
	if v := readiness.Decide(now, signer.Public(), gates, "production", release, []readiness.Evidence{good}); !v.Holds() {
		t.Fatalf("good evidence does not count: %+v", v)
	}
	with := func(e readiness.Evidence, change func(*readiness.Evidence)) readiness.Evidence {
		change(&e)
		return e
	}
	of := func(change func(*readiness.Evidence)) readiness.Evidence {
		return sign(t, signer, with(passed(tests, now), change))
	}
	cases := map[string]readiness.Evidence{
		"a row that says passed over a statement that says failed": with(bad, func(e *readiness.Evidence) {
			e.Passed, e.ExitCode, e.Output = true, 0, "ok\n"
		}),
		"a failed row with a passed one's fields":    with(good, func(e *readiness.Evidence) { e.Envelope = bad.Envelope }),
		"an expiry moved in the row":                 with(good, func(e *readiness.Evidence) { e.Expires = e.Expires.Add(time.Hour) }),
		"evidence of another release":                of(func(e *readiness.Evidence) { e.Digest = other }),
		"of another release, renamed in the row":     with(of(func(e *readiness.Evidence) { e.Digest = other }), func(e *readiness.Evidence) { e.Digest = release }),
		"of another environment, renamed in the row": with(of(func(e *readiness.Evidence) { e.Env = "dev" }), func(e *readiness.Evidence) { e.Env = "production" }),
		"of another gate, renamed in the row":        with(of(func(e *readiness.Evidence) { e.Gate = "scan" }), func(e *readiness.Evidence) { e.Gate = "tests" }),
		"of another command":                         of(func(e *readiness.Evidence) { e.Command = readiness.CommandDigest(scan) }),
		"signed for longer than the gate allows":     of(func(e *readiness.Evidence) { e.Expires = e.Expires.Add(time.Second) }),
		"another key's signature":                    sign(t, stranger, passed(tests, now)),
		"no envelope":                                passed(tests, now),
		"an empty envelope":                          with(good, func(e *readiness.Evidence) { e.Envelope = json.RawMessage(`{}`) }),
		"an envelope without signatures":             with(good, func(e *readiness.Evidence) { e.Envelope = strip(t, e.Envelope) }),
		"a payload changed under the signature":      forge(t, good, func(s map[string]any) { s["subject"] = []any{} }),
		"the same payload encoded anew":              forge(t, good, func(map[string]any) {}),
		"an envelope of another payload type, re-labelled": with(good, func(e *readiness.Evidence) {
			e.Envelope = json.RawMessage(strings.Replace(string(e.Envelope), "in-toto", "other", 1))
		}),
		"an output changed in the row": with(good, func(e *readiness.Evidence) { e.Output = "all is well" }),
	}
	for name, e := range cases {
		v := readiness.Decide(now, signer.Public(), gates, "production", release, []readiness.Evidence{e})
		if v.Holds() || len(v.Satisfied) > 0 || len(v.Why) != 1 {
			t.Errorf("%s: %+v", name, v)
		}
	}
	if v := readiness.Decide(now, signer.Public(), gates, "production", other, []readiness.Evidence{good}); v.Holds() {
		t.Error("evidence satisfies another release")
	}
	changed := tests
	changed.Command = []string{"true"}
	if v := readiness.Decide(now, signer.Public(), []fairlead.Gate{changed}, "production", release, []readiness.Evidence{good}); v.Holds() {
		t.Error("evidence satisfies a gate whose command has changed")
	}
	if v := readiness.Decide(now, nil, gates, "production", release, []readiness.Evidence{good}); v.Holds() {
		t.Error("evidence counts without a key")
	}
}

func strip(t *testing.T, data json.RawMessage) json.RawMessage {
	t.Helper()
	var outer map[string]any
	if err := json.Unmarshal(data, &outer); err != nil {
		t.Fatal(err)
	}
	outer["signatures"] = []any{}
	text, _ := json.Marshal(outer)
	return text
}

// TestAnyChangedByteOfARowLeavesTheVerdictOrTakesItAway changes one byte of a
// failed row's JSON: whatever it still says, it never says that the gate passed.
func TestAnyChangedByteOfAFailedRowNeverSatisfies(t *testing.T) {
	signer := newSigner(t)
	data, err := json.Marshal(sign(t, signer, failed(tests, now)))
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		changed := append([]byte(nil), data...)
		for range rapid.IntRange(1, 3).Draw(t, "changes") {
			changed[rapid.IntRange(0, len(changed)-1).Draw(t, "at")] = rapid.Byte().Draw(t, "byte")
		}
		var e readiness.Evidence
		if json.Unmarshal(changed, &e) != nil {
			return
		}
		if v := readiness.Decide(now, signer.Public(), []fairlead.Gate{tests}, "production", release, []readiness.Evidence{e}); v.Holds() {
			t.Fatalf("satisfied by %s", changed)
		}
	})
}

// TestTheEnvelopeIsWhatItsSpecificationsSay checks DSSE and in-toto without the
// package's own code.
func TestTheEnvelopeIsWhatItsSpecificationsSay(t *testing.T) {
	signer := newSigner(t)
	var envelope struct {
		Payload     []byte `json:"payload"`
		PayloadType string `json:"payloadType"`
		Signatures  []struct {
			KeyID string `json:"keyid"`
			Sig   []byte `json:"sig"`
		} `json:"signatures"`
	}
	if err := json.Unmarshal(sign(t, signer, passed(tests, now)).Envelope, &envelope); err != nil {
		t.Fatal(err)
	}
	pae := fmt.Sprintf("DSSEv1 28 application/vnd.in-toto+json %d ", len(envelope.Payload)) + string(envelope.Payload)
	if envelope.PayloadType != "application/vnd.in-toto+json" || !ed25519.Verify(signer.Public(), []byte(pae), envelope.Signatures[0].Sig) {
		t.Errorf("the signature does not cover the pre-authentication encoding: %+v", envelope)
	}
	if envelope.Signatures[0].KeyID != readiness.KeyID(signer.Public()) {
		t.Error("the key id is another's")
	}
	var statement map[string]any
	if err := json.Unmarshal(envelope.Payload, &statement); err != nil {
		t.Fatal(err)
	}
	predicate := statement["predicate"].(map[string]any)
	got := strings.TrimSpace(fmt.Sprintln(statement["_type"], statement["subject"], statement["predicateType"], predicate["result"], predicate["passedTests"]))
	want := fmt.Sprintf("https://in-toto.io/Statement/v1 [map[digest:map[sha256:%s] name:release]] https://in-toto.io/attestation/test-result/v0.1 PASSED [tests]", release.Hex())
	if got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}
