// Package dialpass connects to a TCP port in another network namespace without a
// proxy between. A supervisor inside the namespace runs [Serve] on a Unix socket;
// [Dial] connects to that socket, the supervisor dials the port, and passes the
// connected descriptor back with SCM_RIGHTS.
//
// The protocol is one answer a connection: the byte '+' with one descriptor, or
// '-' and a line that says why not. Access is a matter of the socket's mode and
// directory.
package dialpass

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/fairlead/fairlead/internal/unixsock"
)

// ErrNotConnected is in the chain of every error of Dial: no byte can have
// reached the port, so a request meant for it may go elsewhere.
var ErrNotConnected = errors.New("not connected")

// ErrRefused is also in the chain when the supervisor answered that its own dial
// failed; without it the supervisor itself was not reached.
var ErrRefused = errors.New("the supervisor could not dial")

const (
	most       = 512              // connections that Serve handles at once; more wait in the backlog
	dialTime   = 10 * time.Second // longest that Serve lets one dial take
	answerTime = 5 * time.Second  // longest that it takes to hand over an answer
	longest    = 512              // bytes of an error line
)

// Serve answers each connection to listener with a descriptor of what dial
// returns, or with its error, until ctx ends (then it returns nil) or the listener
// fails. It closes the listener, and returns when all its goroutines have ended.
// The connection that dial returns must be a socket (net.Conn with SyscallConn);
// Serve closes its own copy.
func Serve(ctx context.Context, listener *net.UnixListener, dial func(ctx context.Context) (net.Conn, error)) error {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	stop := context.AfterFunc(ctx, func() { listener.Close() })
	defer stop()
	defer listener.Close()
	slots := make(chan struct{}, most)
	for {
		conn, err := listener.AcceptUnix()
		if ctx.Err() != nil {
			if err == nil {
				conn.Close()
			}
			return nil
		}
		if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) || errors.Is(err, syscall.ECONNABORTED) {
			pause(ctx, 10*time.Millisecond)
			continue
		}
		if err != nil {
			return fmt.Errorf("accept dials: %w", err)
		}
		slots <- struct{}{}
		running.Go(func() {
			defer func() { <-slots }()
			answer(ctx, conn, dial)
		})
	}
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// answer serves one connection. A client that does not take its answer only loses
// it, so errors of the hand-over end here.
func answer(ctx context.Context, client *net.UnixConn, dial func(ctx context.Context) (net.Conn, error)) {
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	conn, err := dial(ctx)
	client.SetDeadline(time.Now().Add(answerTime))
	if err == nil {
		defer conn.Close()
		err = pass(client, conn)
	}
	if err != nil {
		line := strings.ReplaceAll(err.Error(), "\n", " ")
		io.WriteString(client, "-"+line[:min(len(line), longest-1)]+"\n")
	}
}

// pass sends a descriptor of conn to client.
func pass(client *net.UnixConn, conn net.Conn) error {
	socket, ok := conn.(syscall.Conn)
	if !ok {
		return fmt.Errorf("%T has no descriptor to pass", conn)
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return err
	}
	var sent error
	err = raw.Control(func(fd uintptr) {
		_, _, sent = client.WriteMsgUnix([]byte{'+'}, syscall.UnixRights(int(fd)), nil)
	})
	return errors.Join(err, sent)
}

// Dial asks the supervisor at path for a connection. The caller owns it. Every
// error matches ErrNotConnected.
func Dial(ctx context.Context, path string) (net.Conn, error) {
	supervisor, err := unixsock.Dial(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotConnected, err)
	}
	defer supervisor.Close()
	stop := context.AfterFunc(ctx, func() { supervisor.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	conn, err := receive(supervisor)
	if err != nil {
		return nil, fmt.Errorf("%w: dial by %s: %w", ErrNotConnected, path, errors.Join(ctx.Err(), err))
	}
	return conn, nil
}

// receive reads the supervisor's answer.
func receive(supervisor *net.UnixConn) (net.Conn, error) {
	var kind [1]byte
	control := make([]byte, syscall.CmsgSpace(4))
	n, oobn, _, _, err := supervisor.ReadMsgUnix(kind[:], control)
	files := received(control[:oobn])
	defer func() {
		for _, file := range files {
			file.Close()
		}
	}()
	switch {
	case n == 1 && kind[0] == '+' && len(files) == 1:
		return net.FileConn(files[0])
	case n == 1 && kind[0] == '-':
		line, _ := bufio.NewReader(io.LimitReader(supervisor, longest)).ReadString('\n')
		return nil, fmt.Errorf("%w: %s", ErrRefused, strings.TrimSpace(line))
	case err != nil:
		return nil, err
	case n == 0:
		return nil, fmt.Errorf("the supervisor hung up: %w", io.ErrUnexpectedEOF)
	default:
		return nil, fmt.Errorf("the supervisor answered %q with %d descriptors", kind[:n], len(files))
	}
}

// received returns the descriptors in a control message as files. The caller
// closes them.
func received(control []byte) []*os.File {
	messages, err := syscall.ParseSocketControlMessage(control)
	if err != nil {
		return nil
	}
	var files []*os.File
	for _, message := range messages {
		fds, err := syscall.ParseUnixRights(&message)
		if err != nil {
			continue
		}
		for _, fd := range fds {
			files = append(files, os.NewFile(uintptr(fd), "passed connection"))
		}
	}
	return files
}
