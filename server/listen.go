package server

import (
	"errors"
	"fmt"
	"net"
	"os"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/internal/unixsock"
)

// listen opens the API's Unix socket, which its owner alone may use, and TCP address.
func (s *control) listen() ([]net.Listener, error) {
	if err := os.RemoveAll(s.socket()); err != nil { // of a control plane that crashed; the store's lock keeps a living one out
		return nil, fmt.Errorf("remove the old control socket: %w", err)
	}
	local, err := unixsock.Listen(s.socket())
	if err != nil {
		return nil, fmt.Errorf("listen on the control socket: %w", err)
	}
	tcp, err := net.Listen("tcp", s.API)
	if err != nil {
		return nil, errors.Join((&fairlead.Error{Code: fairlead.Conflict, Op: "open the API", Err: err}).
			WithHint("choose another address, such as: fairlead up --api 127.0.0.1:0, which takes a free port"), local.Close(), os.Remove(s.socket()))
	}
	s.api = tcp.Addr().String()
	return []net.Listener{local, tcp}, nil
}

// unlisten closes what listen opened and removes the socket.
func (s *control) unlisten(listeners []net.Listener) {
	for _, l := range listeners {
		_ = l.Close() // the HTTP server may have closed it
	}
	_ = os.Remove(s.socket()) // the next start would replace it
}
