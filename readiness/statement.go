package readiness

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/fairlead/fairlead"
)

// The types of the documents, as their specifications name them: in-toto
// Attestation Framework v1 (Statement), its predicate test-result v0.1, and DSSE
// v1.0 (envelope).
const (
	statementType = "https://in-toto.io/Statement/v1"
	predicateType = "https://in-toto.io/attestation/test-result/v0.1"
	payloadType   = "application/vnd.in-toto+json"
)

type statement struct {
	Type          string     `json:"_type"`
	Subject       []resource `json:"subject"`
	PredicateType string     `json:"predicateType"`
	Predicate     testResult `json:"predicate"`
}

// resource is an in-toto resource descriptor.
type resource struct {
	Name   string            `json:"name,omitempty"`
	Digest map[string]string `json:"digest"`
}

type testResult struct {
	Result        string     `json:"result"` // PASSED or FAILED
	Configuration []resource `json:"configuration"`
	Passed        []string   `json:"passedTests,omitempty"`
	Failed        []string   `json:"failedTests,omitempty"`
	Evidence      Evidence   `json:"fairlead.dev/evidence"` // extension: all that the row says, without the envelope
}

type envelope struct {
	Payload     string      `json:"payload"` // base64
	PayloadType string      `json:"payloadType"`
	Signatures  []signature `json:"signatures"`
}

type signature struct {
	KeyID string `json:"keyid"`
	Sig   string `json:"sig"` // base64
}

// preAuthentication returns what a DSSE signature covers: PAE of the type and body.
func preAuthentication(kind string, body []byte) []byte {
	return fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(kind), kind, len(body), body)
}

// Sign returns e with its envelope: an in-toto statement that the release passed
// or failed the gate, signed.
func (s *Signer) Sign(e Evidence) (Evidence, error) {
	e.Envelope = nil
	result := testResult{
		Result: "PASSED", Passed: []string{e.Gate}, Evidence: e,
		Configuration: []resource{{Name: "command", Digest: map[string]string{"sha256": e.Command.Hex()}}},
	}
	if !e.Passed {
		result.Result, result.Passed, result.Failed = "FAILED", nil, []string{e.Gate}
	}
	payload, err := json.Marshal(statement{
		Type: statementType, PredicateType: predicateType, Predicate: result,
		Subject: []resource{{Name: "release", Digest: map[string]string{"sha256": e.Digest.Hex()}}},
	})
	if err != nil {
		return Evidence{}, fmt.Errorf("encode the statement: %w", err)
	}
	sig := ed25519.Sign(s.private, preAuthentication(payloadType, payload))
	e.Envelope, err = json.Marshal(envelope{
		Payload: base64.StdEncoding.EncodeToString(payload), PayloadType: payloadType,
		Signatures: []signature{{KeyID: KeyID(s.Public()), Sig: base64.StdEncoding.EncodeToString(sig)}},
	})
	if err != nil {
		return Evidence{}, fmt.Errorf("encode the envelope: %w", err)
	}
	return e, nil
}

// verify returns the evidence of an envelope that key has signed. The key is the
// verifier's own: what the envelope says of its key is not believed.
func verify(key ed25519.PublicKey, data []byte) (Evidence, error) {
	var outer envelope
	if err := json.Unmarshal(data, &outer); err != nil {
		return Evidence{}, errors.New("its envelope cannot be read")
	}
	payload, err := base64.StdEncoding.DecodeString(outer.Payload)
	if err != nil || outer.PayloadType != payloadType || len(key) != ed25519.PublicKeySize {
		return Evidence{}, errors.New("its envelope is not one of a statement")
	}
	if !signedBy(key, outer, payload) {
		return Evidence{}, errors.New("its signature is not that of this server's key")
	}
	var s statement
	decoder := json.NewDecoder(bytes.NewReader(payload))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&s); err != nil || s.Type != statementType || s.PredicateType != predicateType {
		return Evidence{}, errors.New("it is a statement of another type")
	}
	e := s.Predicate.Evidence
	subject := len(s.Subject) == 1 && fairlead.Digest("sha256:"+s.Subject[0].Digest["sha256"]) == e.Digest
	if !subject || (s.Predicate.Result == "PASSED") != e.Passed {
		return Evidence{}, errors.New("its statement contradicts itself")
	}
	return e, nil
}

func signedBy(key ed25519.PublicKey, e envelope, payload []byte) bool {
	for _, s := range e.Signatures {
		if sig, err := base64.StdEncoding.DecodeString(s.Sig); err == nil && ed25519.Verify(key, preAuthentication(e.PayloadType, payload), sig) {
			return true
		}
	}
	return false
}
