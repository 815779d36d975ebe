package shim

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/fairlead/fairlead/workload"
)

// readLog writes the log in dir to w as options choose. When it follows, it ends
// with ctx (returning nil) or once over reports that nobody writes any more.
func readLog(ctx context.Context, dir string, options workload.LogOptions, over func() bool, w io.Writer) error {
	files, err := openLogs(dir)
	if err != nil {
		return err
	}
	defer func() {
		for _, file := range files {
			file.Close()
		}
	}()
	if err := copyTail(files, options.Tail, w); err != nil || !options.Follow {
		return err
	}
	current, err := followed(dir, files)
	if err != nil {
		return err
	}
	files = []*os.File{current}
	return follow(ctx, dir, &files[0], over, w)
}

// openLogs opens the files of a log, oldest first. Rotation while it runs may
// show one file under two names; it is taken once.
func openLogs(dir string) ([]*os.File, error) {
	var files []*os.File
	var last fs.FileInfo
	for i := range logFiles {
		file, err := os.Open(logName(dir, i))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return files, err
		}
		info, err := file.Stat()
		if err != nil || last != nil && os.SameFile(last, info) {
			file.Close()
			continue
		}
		last, files = info, append([]*os.File{file}, files...)
	}
	return files, nil
}

// copyTail writes the newest tail lines of files, or all when tail is 0, and
// leaves each read to its end.
func copyTail(files []*os.File, tail int, w io.Writer) error {
	if tail <= 0 {
		for _, file := range files {
			if _, err := io.Copy(w, file); err != nil {
				return err
			}
		}
		return nil
	}
	var parts [][]byte
	for i := len(files) - 1; i >= 0 && tail > 0; i-- {
		data, err := io.ReadAll(files[i])
		if err != nil {
			return err
		}
		data = lastLines(data, tail)
		tail -= bytes.Count(data, []byte("\n"))
		parts = append(parts, data)
	}
	for i := len(parts) - 1; i >= 0; i-- {
		if _, err := w.Write(parts[i]); err != nil {
			return err
		}
	}
	return nil
}

// lastLines returns the last n lines of data, at least one, for any n however large.
func lastLines(data []byte, n int) []byte {
	at := bytes.LastIndexByte(data, '\n')
	for ; n > 0 && at >= 0; n-- {
		at = bytes.LastIndexByte(data[:at], '\n')
	}
	return data[at+1:]
}

// followed returns the newest of files, or the current file of a log that had none.
func followed(dir string, files []*os.File) (*os.File, error) {
	if n := len(files); n > 0 {
		for _, file := range files[:n-1] {
			file.Close()
		}
		return files[n-1], nil
	}
	return os.OpenFile(logName(dir, 0), os.O_RDONLY|os.O_CREATE, 0o600)
}

// follow writes what is added to *file and to the files that take its place.
func follow(ctx context.Context, dir string, file **os.File, over func() bool, w io.Writer) error {
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		last := over() // before reading: what was written until then is read below
		replaced := rotated(dir, *file)
		if _, err := io.Copy(w, *file); err != nil {
			return err
		}
		if replaced {
			next, err := os.Open(logName(dir, 0))
			if err == nil {
				(*file).Close()
				*file = next
				continue
			}
		}
		if last {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// rotated reports whether the log's current file is another one than file.
func rotated(dir string, file *os.File) bool {
	now, err := os.Stat(logName(dir, 0))
	old, oldErr := file.Stat()
	return err == nil && oldErr == nil && !os.SameFile(now, old)
}
