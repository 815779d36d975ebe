package cli

import (
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
	return &cobra.Command{
		Use:   "metrics",
		Short: "What the gateway counts, for Prometheus",
		Long: `Metrics prints what the gateway counts, in Prometheus's text format. It asks the
gateway itself: the control plane need not run.`,
		Example: "  fairlead metrics\n  fairlead metrics --output json",
		Args:    exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, err := inv.localOnly("metrics")
			if err != nil {
				return err
			}
			c := gateway.NewClient(filepath.Join(dir, "gateway", gateway.ControlSocket))
			defer c.Close()
			text, err := c.Metrics(cmd.Context())
			if fairlead.CodeOf(err) == fairlead.Unavailable {
				err = errors.Join(client.ErrNoServer, err)
			}
			if err != nil {
				return during("metrics", err)
			}
			return inv.show(samples(string(text)), func(w io.Writer) error {
				_, err := w.Write(text)
				return err
			})
		},
	}
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
