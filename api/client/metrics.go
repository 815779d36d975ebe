package client

import (
	"context"
	"fmt"
	"io"
	"net/http"
)

// MetricTarget is one of GET /v1/metrics/targets, in the form of Prometheus's HTTP
// service discovery: https://prometheus.io/docs/prometheus/latest/http_sd/
// Targets are this API's own address: instances have none outside of it.
type MetricTarget struct {
	Targets []string          `json:"targets"` // host:port of this API
	Labels  map[string]string `json:"labels"`  // app, environment, release, instance, and the path as __metrics_path__
}

// MetricTargets lists what can be scraped: each instance that serves metrics, and the
// gateway.
func (c *Client) MetricTargets(ctx context.Context) ([]MetricTarget, error) {
	return call[[]MetricTarget](ctx, c, http.MethodGet, "/v1/metrics/targets", nil)
}

// mostMetrics bounds a page of all instances' metrics, in bytes.
const mostMetrics = 256 << 20

// InstanceMetrics returns what all instances serve now, as one page in Prometheus's
// text format.
func (c *Client) InstanceMetrics(ctx context.Context) ([]byte, error) {
	body, err := c.stream(ctx, "/v1/metrics/instances")
	if err != nil {
		return nil, err
	}
	defer body.Close()
	page, err := io.ReadAll(io.LimitReader(body, mostMetrics+1))
	if err == nil && len(page) > mostMetrics {
		err = fmt.Errorf("the page has more than %d MiB", mostMetrics>>20)
	}
	return page, err
}
