package container

import (
	"context"
	"errors"
	"io"
	"strings"
	"syscall"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/client"

	"github.com/fairlead/fairlead"
)

// away reports whether err says that the engine does not answer, rather than that it
// answered something.
func away(err error) bool {
	if err == nil || errors.Is(err, context.Canceled) {
		return false
	}
	for _, sign := range []error{io.EOF, io.ErrUnexpectedEOF, syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.EPIPE, syscall.ENOENT, context.DeadlineExceeded} {
		if errors.Is(err, sign) {
			return true
		}
	}
	return client.IsErrConnectionFailed(err) || errdefs.IsUnavailable(err) || strings.Contains(err.Error(), "daemon is shutting down")
}

// gone reports whether err says that what was asked for is not there.
func gone(err error) bool { return errdefs.IsNotFound(err) }

// refused puts an engine's no to a container in words.
func refused(op string, image string, err error) error {
	text := err.Error()
	switch {
	case gone(err) && strings.Contains(strings.ToLower(text), "image"):
		return fairlead.Errorf(fairlead.NotFound, op, "the engine has no image %s any more", image).WithHint("deploy the release again: it is pulled, built or loaded anew")
	case strings.Contains(text, "non-overlapping IPv4 address pool"), strings.Contains(text, "subnet"):
		return fairlead.Errorf(fairlead.Unavailable, op, "the engine has no addresses left for another network: %w", err).
			WithHint("give Docker more with default-address-pools in /etc/docker/daemon.json, or remove networks that nobody uses: docker network prune")
	case strings.Contains(text, "no space left on device"):
		return fairlead.Errorf(fairlead.Unavailable, op, "the engine's disk is full: %w", err).WithHint("docker system df says what takes the room; docker image prune frees some")
	}
	return fairlead.Errorf(fairlead.Internal, op, "%w", err)
}
