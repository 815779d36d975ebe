package app_test

import (
	"strings"
	"testing"

	"github.com/fairlead/fairlead/app"
)

const canaryFile = "apiVersion: fairlead.dev/v1\nkind: App\nmetadata: {name: triage}\nspec:\n" +
	"  artifact: {directory: .}\n  command: [bin/triage]\n  environments: [{name: production, strategy: {STRATEGY}}]\n"

func TestNothingIsNamedAsWhatIsMeasuredAnyway(t *testing.T) {
	for strategy, wrong := range map[string]bool{
		"signals: [{name: failures}]":                     true,
		"signals: [{name: restarts}]":                     true,
		"signals: [{name: latency, kind: amount}]":        true, // whose median would be told as "latency p50"
		"signals: [{name: latency, kind: score}]":         false,
		"signals: [{name: failures-of-tools}]":            false,
		"guards: [{name: failures, metric: up, min: 1}]":  true,
		"guards: [{name: failures2, metric: up, min: 1}]": false,
	} {
		_, err := app.Parse("a.yaml", []byte(strings.Replace(canaryFile, "STRATEGY", strategy, 1)))
		if (err != nil) != wrong || wrong && !strings.Contains(err.Error(), "give yours another name") {
			t.Errorf("%s: %v", strategy, err)
		}
	}
}

func TestAGuardsAddressHoldsNoCredential(t *testing.T) {
	for address, wrong := range map[string]bool{"http://me:pw@127.0.0.1:9": true, "https://key@h/x": true, "http://127.0.0.1:9/a@b": false} {
		guard := "guards: [{name: g, prometheus: '" + address + "', query: up, min: 1}]"
		_, err := app.Parse("a.yaml", []byte(strings.Replace(canaryFile, "STRATEGY", guard, 1)))
		if (err != nil) != wrong || wrong && (!strings.Contains(err.Error(), "credential") || strings.Contains(err.Error(), "pw")) {
			t.Errorf("%s: %v", address, err)
		}
	}
}
