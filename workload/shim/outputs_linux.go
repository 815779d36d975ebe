package shim

import (
	"errors"
	"io"
	"os"
	"sync"
	"time"
)

// outputs are the pipes of an app's two streams. They stay the same over restarts.
type outputs struct {
	stdout, stderr *os.File // the ends to write
	readers        [2]*os.File
	copying        sync.WaitGroup
}

func newOutputs() (*outputs, error) {
	o := &outputs{}
	var err, otherErr error
	o.readers[0], o.stdout, err = os.Pipe()
	o.readers[1], o.stderr, otherErr = os.Pipe()
	return o, errors.Join(err, otherErr)
}

// copyTo logs the lines of both streams until close.
func (o *outputs) copyTo(log *logWriter) {
	o.copying.Go(func() { log.copyFrom(streamOut, o.readers[0]) })
	o.copying.Go(func() { log.copyFrom(streamErr, o.readers[1]) })
}

// copyInto writes both streams to w, which must be safe for concurrent use.
func (o *outputs) copyInto(w io.Writer) {
	for _, reader := range o.readers {
		o.copying.Go(func() { io.Copy(w, reader) })
	}
}

// close takes what is still in the pipes. Who could still write to them has ended
// before, but for escaped children of a process without a pid namespace: these are
// waited for a second only.
func (o *outputs) close() {
	o.stdout.Close()
	o.stderr.Close()
	for _, reader := range o.readers {
		reader.SetReadDeadline(time.Now().Add(time.Second))
	}
	o.copying.Wait()
	for _, reader := range o.readers {
		reader.Close()
	}
}
