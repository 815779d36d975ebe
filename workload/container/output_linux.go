package container

import (
	"context"
	"io"
	"os"
	"time"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/client"
)

// output takes what the app of a container writes, and copies it. It is for one
// goroutine.
type output struct {
	engine   *Engine
	id       string        // of the container
	out, err *os.File      // where it goes, which stay the caller's
	copied   chan struct{} // closed when the engine sends no more
	cut      func()        // ends the copying
}

// attach takes the output of a container from its next start on.
func attach(ctx context.Context, engine *Engine, id string, out, err *os.File) (*output, error) {
	stream, failed := engine.api.ContainerAttach(ctx, id, client.ContainerAttachOptions{Stream: true, Stdout: true, Stderr: true})
	if failed != nil {
		return nil, failed
	}
	o := &output{engine: engine, id: id, out: out, err: err}
	o.copy(stream.Reader, stream.Close)
	return o, nil
}

// retake takes the output again if it broke off, as it was said since a time.
func (o *output) retake(ctx context.Context, since time.Time) {
	select {
	case <-o.copied:
	default:
		return // the stream has held
	}
	ctx, cancel := context.WithCancel(ctx)
	stream, err := o.engine.api.ContainerLogs(ctx, o.id, client.ContainerLogsOptions{ShowStdout: true, ShowStderr: true, Follow: true, Since: since.Format(time.RFC3339Nano)})
	if err != nil {
		cancel()
		return
	}
	o.cut()
	o.copy(stream, func() { cancel(); stream.Close() })
}

// copy copies a stream until it ends or is cut.
func (o *output) copy(stream io.Reader, cut func()) {
	copied := make(chan struct{})
	o.copied, o.cut = copied, cut
	go func() { // close awaits it
		defer close(copied)
		stdcopy.StdCopy(o.out, o.err, stream) // a broken stream ends the run, or is taken again
	}()
}

// outputPatience is how long the last of an app's output is waited for.
const outputPatience = 3 * time.Second

// close waits for what the app wrote last.
func (o *output) close() {
	select {
	case <-o.copied:
	case <-time.After(outputPatience): // a process that escaped holds it
	}
	o.drop()
}

// drop ends the copying at once.
func (o *output) drop() {
	o.cut()
	<-o.copied
}
