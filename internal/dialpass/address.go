package dialpass

import (
	"context"
	"errors"
	"net"
	"strings"
)

// To returns what connects to an instance's address: "tcp:" and host:port, or "pass:"
// and the path of a socket that [Serve] answers. What it returns takes the arguments
// of an http.Transport's DialContext, and looks at the context alone.
func To(address string) (func(ctx context.Context, network, address string) (net.Conn, error), error) {
	how, where, _ := strings.Cut(address, ":")
	switch how {
	case "tcp":
		return func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", where)
		}, nil
	case "pass":
		return func(ctx context.Context, _, _ string) (net.Conn, error) { return Dial(ctx, where) }, nil
	}
	return nil, errors.New("its instance has an address of an unknown form")
}
