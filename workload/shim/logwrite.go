package shim

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// How logs are kept: logFiles files of at most about logSize bytes each, and lines
// of at most logLine bytes of text; longer ones are split.
const (
	logLine  = 16 << 10
	logSize  = 8 << 20
	logFiles = 4
	logTime  = "2006-01-02T15:04:05.000000000Z07:00"
)

// The streams of a log.
const (
	streamOut  = "stdout"
	streamErr  = "stderr"
	streamShim = "fairlead" // what the shim says of the app
)

// logName returns the path of the i-th newest file of the log in dir.
func logName(dir string, i int) string {
	if i == 0 {
		return filepath.Join(dir, "current")
	}
	return filepath.Join(dir, fmt.Sprint(i))
}

// logWriter appends lines to a log and rotates it. It never fails and never
// waits for anything but the disk: lines that cannot be written are counted, and
// the next one that can says how many were lost. It is safe for concurrent use.
// Lines are not synced; a crash of the machine may lose the newest.
type logWriter struct {
	mu   sync.Mutex
	dir  string
	size int64 // limit of one file
	file *os.File
	used int64
	lost int
	line []byte // reused
	now  func() time.Time
}

// openLog continues the log in dir, which it makes.
func openLog(dir string, size int64) (*logWriter, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	w := &logWriter{dir: dir, size: size, now: time.Now}
	return w, w.open()
}

func (w *logWriter) open() error {
	file, err := os.OpenFile(logName(w.dir, 0), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	info, err := file.Stat()
	if err != nil {
		return errors.Join(err, file.Close())
	}
	w.file, w.used = file, info.Size()
	return nil
}

// Write appends text, at most logLine bytes without a line's end, as one line.
func (w *logWriter) write(stream string, text []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.lost > 0 && w.append(streamShim, fmt.Appendf(nil, "%d lines were lost: the log could not be written", w.lost)) {
		w.lost = 0
	}
	if !w.append(stream, text) {
		w.lost++
	}
}

func (w *logWriter) append(stream string, text []byte) bool {
	if w.file == nil && w.open() != nil {
		return false
	}
	w.line = w.now().UTC().AppendFormat(w.line[:0], logTime)
	w.line = append(append(append(w.line, ' '), stream...), ' ')
	w.line = append(append(w.line, text...), '\n')
	n, err := w.file.Write(w.line)
	w.used += int64(n)
	if err == nil && w.used >= w.size {
		w.rotate()
	}
	return err == nil
}

// rotate begins a new file. When a rename fails the old name is truncated by
// nobody: lines go on into it.
func (w *logWriter) rotate() {
	w.file.Close() // its lines are written; nothing is buffered
	w.file = nil
	for i := logFiles - 1; i > 0; i-- {
		os.Rename(logName(w.dir, i-1), logName(w.dir, i)) // a gap in the row is no fault
	}
}

func (w *logWriter) say(format string, args ...any) {
	w.write(streamShim, fmt.Appendf(nil, format, args...))
}

func (w *logWriter) close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.file == nil {
		return nil
	}
	return w.file.Close()
}

// copyFrom writes the lines of r until it ends.
func (w *logWriter) copyFrom(stream string, r io.Reader) {
	reader := bufio.NewReaderSize(r, logLine)
	for {
		line, err := reader.ReadSlice('\n')
		if n := len(line); n > 0 && line[n-1] == '\n' {
			line = line[:n-1]
		} else if n == 0 && err != nil {
			return
		}
		w.write(stream, line)
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return
		}
	}
}
