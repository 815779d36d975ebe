package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/cli/progress"
)

// mostBuildLog is the most bytes of a log that are printed.
const mostBuildLog = 16 << 20

// buildLog prints what the build of a release has said, without what could steer a
// terminal.
func (inv *invocation) buildLog(ctx context.Context, name string) error {
	app, number, err := parseReleaseName(name)
	if err != nil {
		return usage(err)
	}
	c, err := inv.client()
	if err != nil {
		return err
	}
	op := "read the log of the build of " + name
	r, err := c.Release(ctx, app, number)
	if err != nil {
		return during(op, err)
	}
	digest := r.BuildLog()
	if digest == "" {
		return fairlead.Errorf(fairlead.NotFound, op, "it was not built by Fairlead").
			WithHint("a release of a Dockerfile or a Git repository has such a log")
	}
	log, err := c.Blob(ctx, digest)
	if err != nil {
		return during(op, err)
	}
	defer log.Close()
	return writeLog(inv.std.Out, log)
}

func writeLog(w io.Writer, log io.Reader) error {
	lines := bufio.NewReader(io.LimitReader(log, mostBuildLog))
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			if _, err := fmt.Fprintln(w, progress.Clean(strings.TrimRight(line, "\r\n"))); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read the log of the build: %w", err)
		}
	}
}
