package tour

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"github.com/fairlead/fairlead/api/client"
	"github.com/fairlead/fairlead/cli/progress"
)

// watched reports whether somebody at a terminal can quit.
func (t *tour) watched() bool {
	in, ok := t.options.In.(*os.File)
	return ok && t.view.terminal != nil && term.IsTerminal(int(in.Fd()))
}

// stay keeps the server and its console until the user quits or ctx ends, which both are
// as it should be.
func (t *tour) stay(ctx context.Context) error {
	style := t.view.terminal.Style()
	for {
		link, err := t.client.ConsoleLink(ctx, client.NewLink{})
		if err != nil {
			return fmt.Errorf("make a link to the console: %w", err)
		}
		fmt.Fprintf(t.options.Out, "\n%s\n%s\n%s\n", style.Paint(progress.Strong, "The console is open until you quit:"), style.Paint(progress.New, link.URL),
			style.Paint(progress.Quiet, fmt.Sprintf("The link opens it once, within %.0f min. Press l for another link, Enter or q to quit.", time.Until(link.Expires).Minutes())))
		key, err := t.key(ctx)
		if err != nil || key != 'l' {
			return err
		}
	}
}

// The keys that end the stay, as a terminal sends them; 3 and 4 are Ctrl-C and Ctrl-D.
const quitKeys = "\r\nqQ\x03\x04"

// key waits for a key that means something. When ctx ends it is as if q was pressed.
func (t *tour) key(ctx context.Context) (byte, error) {
	in := t.options.In.(*os.File)
	fd := int(in.Fd())
	before, err := term.MakeRaw(fd)
	if err != nil {
		return 0, fmt.Errorf("read single keys: %w", err)
	}
	defer term.Restore(fd, before)
	for ctx.Err() == nil {
		ready, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(tick.Milliseconds()))
		if err != nil && !errors.Is(err, unix.EINTR) {
			return 0, fmt.Errorf("wait for a key: %w", err)
		}
		if err != nil || ready == 0 {
			continue
		}
		pressed := make([]byte, 1)
		if n, err := in.Read(pressed); err != nil || n == 0 {
			return 'q', nil // the terminal is gone
		}
		for _, known := range []byte(quitKeys + "l") {
			if pressed[0] == known {
				return known, nil
			}
		}
	}
	return 'q', nil
}
