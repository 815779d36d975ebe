package api

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/telemetry"
)

// someMetrics are those of two instances, one of which serves none.
type someMetrics struct{}

func (someMetrics) Targets() []telemetry.Target {
	at := telemetry.Instance{ID: "chat-qa-3-a", Site: fairlead.Site{App: "chat", Env: "qa"}, Release: 3, Ready: true}
	return []telemetry.Target{{Instance: at, Found: true}, {Instance: telemetry.Instance{ID: "none", Ready: true}}}
}

func (someMetrics) Scrape(_ context.Context, w io.Writer) error {
	_, err := io.WriteString(w, "q 1\n")
	return err
}

func (someMetrics) One(_ context.Context, id string, _ io.Writer) error {
	return fairlead.Errorf(fairlead.NotFound, "read metrics", "no instance %s serves metrics", id)
}

func (someMetrics) Gateway(context.Context) ([]byte, error) { return []byte("g 1\n"), nil }

func TestTargetsHaveTheFormOfHTTPServiceDiscovery(t *testing.T) {
	c := testConfig(fairlead.Viewer)
	c.Metrics = someMetrics{}
	answer := ask(New(c), http.MethodGet, "/v1/metrics/targets", nil)
	var targets []client.MetricTarget
	if err := json.Unmarshal(answer.Body.Bytes(), &targets); err != nil || answer.Header().Get("Content-Type") != "application/json" {
		t.Fatalf("%v, %s", err, answer.Body)
	}
	labels := map[string]string{}
	for _, target := range targets {
		if len(target.Targets) != 1 || target.Targets[0] != "localhost:8090" {
			t.Errorf("%+v", target)
		}
		if target.Labels["instance"] == "chat-qa-3-a" {
			labels = target.Labels
		}
		if target.Labels["instance"] == "none" {
			t.Error("an instance without metrics is a target")
		}
	}
	if labels["app"] != "chat" || labels["environment"] != "qa" || labels["release"] != "3" || labels["__metrics_path__"] != "/v1/metrics/instances/chat-qa-3-a" {
		t.Errorf("%v", labels)
	}
}

func TestPagesOfMetricsAreText(t *testing.T) {
	c := testConfig(fairlead.Viewer)
	c.Metrics = someMetrics{}
	for path, want := range map[string]string{"instances": "q 1\n", "gateway": "g 1\n"} {
		answer := ask(New(c), http.MethodGet, "/v1/metrics/"+path, nil)
		if answer.Code != http.StatusOK || answer.Body.String() != want || !strings.HasPrefix(answer.Header().Get("Content-Type"), "text/plain; version=0.0.4") {
			t.Errorf("%s: %d %v %q", path, answer.Code, answer.Header(), answer.Body)
		}
	}
	if answer := ask(New(c), http.MethodGet, "/v1/metrics/instances/x", nil); answer.Code != http.StatusNotFound {
		t.Errorf("%d", answer.Code)
	}
}
