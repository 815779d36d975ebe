package guard

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/internal/dialpass"
)

// metric reads a metric from every instance and returns the worst value. One that is
// out of bounds counts also where another instance cannot be read; else all must be.
func (r Reader) metric(ctx context.Context, g fairlead.Guard, instances []string) (float64, error) {
	want, err := parseSelector(g.Metric)
	if err != nil {
		return 0, err
	}
	if len(instances) == 0 {
		return 0, errors.New("the new release has no instance that is ready")
	}
	worst, most, read := 0.0, 0.0, false
	var unread error
	for _, address := range instances {
		v, err := r.read(ctx, address, g.Path, want)
		if err != nil {
			unread = err
			continue
		}
		if by := excess(g, v); !read || by > most {
			worst, most, read = v, by, true
		}
	}
	if unread != nil && !(read && most > 0) {
		return 0, unread
	}
	return worst, nil
}

// excess is by how much v is out of a guard's bounds; negative within them.
func excess(g fairlead.Guard, v float64) float64 {
	by := math.Inf(-1)
	if g.Max != nil {
		by = max(by, v-*g.Max)
	}
	if g.Min != nil {
		by = max(by, *g.Min-v)
	}
	return by
}

// read reads the metric of one instance.
func (r Reader) read(ctx context.Context, address, path string, want selector) (float64, error) {
	dial, err := dialpass.To(address)
	if err != nil {
		return 0, err
	}
	if path == "" {
		path = "/metrics"
	}
	status, body, err := get(ctx, "http://instance"+path, dial, "text/plain;version=0.0.4")
	switch {
	case err != nil:
		return 0, err
	case status != http.StatusOK:
		return 0, fmt.Errorf("an instance answers %s with status %d", path, status)
	}
	return want.find(body)
}
