package gateway

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	"github.com/fairlead/fairlead"
)

// ListenersVariable names the environment variable that says how many listeners
// Main inherits: the descriptors from 3 on.
const ListenersVariable = "FAIRLEAD_LISTENERS"

// ReadyVariable names the environment variable with the descriptor that Main closes
// once the gateway serves; it may be unset.
const ReadyVariable = "FAIRLEAD_READY"

// TakeOverFlag is the flag of a gateway that replaces the one that runs: it asks that
// one for its state directory and what it knows, and serves on the same listeners.
const TakeOverFlag = "take-over"

// ControlSocket is the control socket's name in the state directory.
const ControlSocket = "control.sock"

// Main runs a gateway as a process: arguments "--dir DIR [--grace 30s] [--take-over]",
// listeners from inherited descriptors (see ListenersVariable), the control socket
// in DIR. It logs JSON lines to standard error and stops in order on SIGTERM and
// SIGINT. Closing the inherited listeners leaves the sockets of whoever holds them
// as they are.
func Main(args []string) error {
	const op = "run gateway"
	flags := flag.NewFlagSet("gateway", flag.ContinueOnError)
	dir := flags.String("dir", "", "state directory")
	grace := flags.Duration("grace", defaultGrace, "longest that requests in flight get at a stop")
	takeOver := flags.Bool(TakeOverFlag, false, "take over from the gateway that runs in the state directory")
	if err := flags.Parse(args); err != nil {
		return fairlead.Errorf(fairlead.Invalid, op, "%w", err)
	}
	if *dir == "" || flags.NArg() > 0 {
		return fairlead.Errorf(fairlead.Invalid, op, "it needs --dir and no other arguments")
	}
	listeners, err := inherited(os.Getenv(ListenersVariable))
	if err != nil {
		return fairlead.Errorf(fairlead.Invalid, op, "%w", err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	return Run(ctx, Config{
		Dir: *dir, Listeners: listeners, Grace: *grace, TakeOver: *takeOver, Ready: notify(os.Getenv(ReadyVariable)),
		Log: slog.New(slog.NewJSONHandler(os.Stderr, nil)),
	})
}

// notify returns what closes a descriptor, by its number in text.
func notify(descriptor string) func() {
	fd, err := strconv.Atoi(descriptor)
	if err != nil || fd < 3 {
		return nil
	}
	return func() { _ = syscall.Close(fd) } // whoever waits sees the end in any case
}

// inherited returns the listeners on the descriptors from 3 on.
func inherited(count string) ([]net.Listener, error) {
	n, err := strconv.Atoi(count)
	if err != nil || n < 1 || n > 64 {
		return nil, fmt.Errorf("%s is %q, not the number of inherited listeners", ListenersVariable, count)
	}
	var listeners []net.Listener
	for i := range n {
		file := os.NewFile(uintptr(3+i), "listener")
		l, err := net.FileListener(file) // a duplicate
		if err != nil {
			return nil, fmt.Errorf("descriptor %d: %w", 3+i, err)
		}
		if err := file.Close(); err != nil {
			return nil, err
		}
		listeners = append(listeners, l)
	}
	return listeners, nil
}
