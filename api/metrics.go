package api

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strconv"

	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/telemetry"
)

// Metrics are those that instances and the gateway serve.
type Metrics interface {
	Targets() []telemetry.Target                           // sorted by instance
	Scrape(ctx context.Context, w io.Writer) error         // of all instances, labelled
	One(ctx context.Context, id string, w io.Writer) error // of one instance, as it labels them
	Gateway(ctx context.Context) ([]byte, error)           // in the text format
}

// textFormat is the content type of Prometheus's text format.
const textFormat = "text/plain; version=0.0.4; charset=utf-8"

const metricsPath = "/v1/metrics/"

// registerMetrics adds what a Prometheus asks.
func (s *server) registerMetrics(mux *http.ServeMux) {
	mux.HandleFunc("GET "+metricsPath+"targets", s.metricTargets)
	mux.HandleFunc("GET "+metricsPath+"instances", s.page(func(r *http.Request, w io.Writer) error {
		return s.Metrics.Scrape(r.Context(), w)
	}))
	mux.HandleFunc("GET "+metricsPath+"instances/{id}", s.page(func(r *http.Request, w io.Writer) error {
		return s.Metrics.One(r.Context(), r.PathValue("id"), w)
	}))
	mux.HandleFunc("GET "+metricsPath+"gateway", s.page(func(r *http.Request, w io.Writer) error {
		text, err := s.Metrics.Gateway(r.Context())
		if err != nil {
			return err
		}
		_, err = w.Write(text)
		return err
	}))
}

// page answers with a page of metrics, or with what is wrong.
func (s *server) page(write func(r *http.Request, w io.Writer) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var text bytes.Buffer
		if err := write(r, &text); err != nil {
			refuse(w, err)
			return
		}
		w.Header().Set("Content-Type", textFormat)
		_, _ = w.Write(text.Bytes()) // who is gone needs no answer
	}
}

// addressFor is where who asks can reach this API: at the address that was asked, or
// where that was a socket's, at the one it listens on.
func (s *server) addressFor(r *http.Request) string {
	if _, _, err := net.SplitHostPort(r.Host); err != nil {
		return s.Version().API
	}
	return r.Host
}

// metricTargets says where each instance's metrics are, at the address that was asked.
func (s *server) metricTargets(w http.ResponseWriter, r *http.Request) {
	here := []string{s.addressFor(r)}
	targets := []client.MetricTarget{{Targets: here, Labels: map[string]string{"__metrics_path__": metricsPath + "devices", "instance": "devices"}}, {Targets: here, Labels: map[string]string{"__metrics_path__": metricsPath + "gateway", "instance": "gateway"}}}
	for _, t := range s.Metrics.Targets() {
		if !t.Found || !t.Ready {
			continue
		}
		targets = append(targets, client.MetricTarget{Targets: here, Labels: map[string]string{
			"__metrics_path__": metricsPath + "instances/" + t.ID, "app": t.Site.App, "environment": t.Site.Env,
			"release": strconv.Itoa(t.Release), "instance": t.ID,
		}})
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(targets) // who is gone needs no answer
}
