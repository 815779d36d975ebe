package cli

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/gateway"
)

func (inv *invocation) metrics() *cobra.Command {
	var instances, targets bool
	cmd := &cobra.Command{
		Use:   "metrics",
		Short: "What the gateway and the instances count, for Prometheus",
		Long: `Metrics prints what the gateway counts, in Prometheus's text format. It asks the
gateway itself: the control plane need not run.

With --instances it prints what the instances serve at /metrics, which is found
without configuration: each sample labelled with app, environment, release and
instance. With --targets it prints where a Prometheus finds all of it, in the form
of its HTTP service discovery.`,
		Example: "  fairlead metrics\n  fairlead metrics --instances\n  fairlead metrics --targets",
		Args:    exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case instances && targets:
				return usagef("", "--instances and --targets are two answers: ask for one")
			case targets:
				return inv.metricTargets(cmd.Context())
			case instances:
				return inv.instanceMetrics(cmd.Context())
			}
			return inv.gatewayMetrics(cmd.Context())
		},
	}
	cmd.Flags().BoolVar(&instances, "instances", false, "what the instances serve")
	cmd.Flags().BoolVar(&targets, "targets", false, "where a Prometheus finds it")
	return cmd
}

func (inv *invocation) gatewayMetrics(ctx context.Context) error {
	dir, err := inv.localOnly("metrics")
	if err != nil {
		return err
	}
	c := gateway.NewClient(filepath.Join(dir, "gateway", gateway.ControlSocket))
	defer c.Close()
	text, err := c.Metrics(ctx)
	if fairlead.CodeOf(err) == fairlead.Unavailable {
		err = errors.Join(client.ErrNoServer, err)
	}
	return inv.showMetrics(text, err)
}

func (inv *invocation) instanceMetrics(ctx context.Context) error {
	c, err := inv.client()
	if err != nil {
		return err
	}
	text, err := c.InstanceMetrics(ctx)
	if err == nil && len(text) == 0 {
		inv.note("no instance serves metrics at /metrics")
	}
	return inv.showMetrics(text, err)
}

func (inv *invocation) showMetrics(text []byte, err error) error {
	if err != nil {
		return during("metrics", err)
	}
	return inv.show(samples(string(text)), func(w io.Writer) error {
		_, err := w.Write(text)
		return err
	})
}

// metricTargets prints the targets as they are: their form is Prometheus's.
func (inv *invocation) metricTargets(ctx context.Context) error {
	c, err := inv.client()
	if err != nil {
		return err
	}
	targets, err := c.MetricTargets(ctx)
	if err != nil {
		return during("metrics", err)
	}
	return inv.line(targets)
}

// samples returns the values of an exposition by name and labels.
func samples(text string) map[string]float64 {
	values := map[string]float64{}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		at := strings.LastIndexByte(line, ' ')
		if at < 0 || strings.HasPrefix(line, "#") {
			continue
		}
		if v, err := strconv.ParseFloat(line[at+1:], 64); err == nil {
			values[line[:at]] = v
		}
	}
	return values
}
