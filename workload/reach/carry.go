package reach

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// Carrier carries connections out of a sandbox: it accepts on listeners that were
// made in the sandbox's network and dials their targets in this one.
type Carrier struct {
	listeners []net.Listener
	cancel    context.CancelFunc
	running   sync.WaitGroup
}

// Carry starts a Carrier; connections to files[i], which it takes, go to
// targets[i]. The caller closes it.
func Carry(files []*os.File, targets []string) (*Carrier, error) {
	ctx, cancel := context.WithCancel(context.Background())
	c := &Carrier{cancel: cancel}
	if len(files) != len(targets) {
		if len(files) > 0 {
			closeAll(files)
			cancel()
			return nil, errors.New("the sandbox gave a wrong number of listeners")
		}
		return c, nil // no network of its own: the app dials the targets itself
	}
	for i, file := range files {
		listener, err := net.FileListener(file)
		if err != nil {
			closeAll(files[i:])
			c.Close()
			return nil, err
		}
		file.Close()
		c.listeners = append(c.listeners, listener)
		c.running.Go(func() { c.accept(ctx, listener, targets[i]) })
	}
	return c, nil
}

// Close cuts every connection and waits for the end of all goroutines.
func (c *Carrier) Close() {
	c.cancel()
	for _, listener := range c.listeners {
		listener.Close()
	}
	c.running.Wait()
}

// mostCarried bounds the connections of one target that are carried at once.
const mostCarried = 1024

func (c *Carrier) accept(ctx context.Context, listener net.Listener, target string) {
	slots := make(chan struct{}, mostCarried)
	for {
		inside, err := listener.Accept()
		if errors.Is(err, net.ErrClosed) || ctx.Err() != nil {
			if err == nil {
				inside.Close()
			}
			return
		}
		if err != nil {
			select {
			case <-ctx.Done():
			case <-time.After(10 * time.Millisecond): // out of descriptors, most likely
			}
			continue
		}
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			inside.Close()
			return
		}
		c.running.Go(func() {
			defer func() { <-slots }()
			carryOne(ctx, inside.(*net.TCPConn), target)
		})
	}
}

// carryOne joins one connection to its target. When the target cannot be dialled
// the app sees a reset.
func carryOne(ctx context.Context, inside *net.TCPConn, target string) {
	defer inside.Close()
	dialer := net.Dialer{Timeout: 10 * time.Second}
	conn, err := dialer.DialContext(ctx, "tcp", target)
	if err != nil {
		inside.SetLinger(0)
		return
	}
	outside := conn.(*net.TCPConn)
	defer outside.Close()
	stop := context.AfterFunc(ctx, func() { inside.Close(); outside.Close() })
	defer stop()
	var back sync.WaitGroup
	back.Go(func() { pour(inside, outside) })
	pour(outside, inside)
	back.Wait()
}

// pour copies one direction and passes on its end; a broken copy cuts both.
func pour(to, from *net.TCPConn) {
	if _, err := io.Copy(to, from); err != nil {
		to.Close()
		from.Close()
		return
	}
	to.CloseWrite()
}

func closeAll(files []*os.File) {
	for _, file := range files {
		file.Close()
	}
}
