package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// layRelease writes a release of the app, which fails a share of its requests.
func (l *lab) layRelease(dir string, failures float64) error {
	config := fmt.Sprintf(`{"version": %q, "failures": %g}`, filepath.Base(dir), failures)
	return errors.Join(copyFile(l.app, filepath.Join(dir, "app")), os.WriteFile(filepath.Join(dir, "config.json"), []byte(config), 0o644))
}

// strategy takes a release through two steps within seconds at 200 requests/s. With
// one replica no shift of traffic waits for a start.
const strategy = `{steps: [30, 60], beta: 0.3, margin: {ratio: 5, absolute: 0.2}, warmup: 100ms, minStep: 1s, rollbackWindow: 10m}`

const appName = "bench"

// deploy releases the app and waits for the end of its rollout; a rollback is an
// end too.
func (p *plane) deploy(ctx context.Context, l *lab, version string, failures float64, replicas int) error {
	dir := filepath.Join(filepath.Dir(p.state), version)
	if err := l.layRelease(dir, failures); err != nil {
		return err
	}
	file := dir + ".yaml"
	text := fmt.Sprintf(`apiVersion: fairlead.dev/v1
kind: App
metadata: {name: %s}
spec:
  artifact: {directory: ./%s}
  command: [./app]
  readiness: {path: /readyz, interval: 200ms}
  environments:
    - {name: production, replicas: %d, strategy: %s}
`, appName, version, replicas, strategy)
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		return err
	}
	_, err := p.command(ctx, "deploy", "-f", file, "--wait")
	if err != nil && failures > 0 {
		return nil // it went back, as it should; who measures looks for it in the ledger
	}
	if err != nil {
		story, _ := p.command(ctx, "explain", appName) // the first error tells more
		return fmt.Errorf("%w: %s", err, story)
	}
	return nil
}
