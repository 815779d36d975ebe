package images

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/workload/container"
)

// fetched are the names by which engines have images because this installation asked
// for them: those that
// were there before are a person's. They are noted in a file, a
// line each. It is safe for concurrent use, and must not be copied.
type fetched struct {
	file string
	mu   sync.Mutex
}

// fetchedName is the name of an image in an engine, and what it was when it was fetched.
type fetchedName struct {
	host, name string
	id         fairlead.Digest
}

func newFetched(root string) *fetched { return &fetched{file: filepath.Join(root, "fetched")} }

// note keeps that an engine has an image by this name because of us.
func (f *fetched) note(n fetchedName) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	known, err := f.read()
	if err != nil || slices.Contains(known, n) {
		return err
	}
	return f.write(append(known, n))
}

// has reports whether an engine has an image by this name because of us.
func (f *fetched) has(host, name string) (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	known, err := f.read()
	return slices.ContainsFunc(known, func(n fetchedName) bool { return n.host == host && n.name == name }), err
}

// in returns the names in the engine at host.
func (f *fetched) in(host string) ([]fetchedName, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	known, err := f.read()
	return slices.DeleteFunc(known, func(n fetchedName) bool { return n.host != host }), err
}

// forget takes all names from the engine that are what they were when they were
// fetched; what else has such an image keeps it.
func (f *fetched) forget(ctx context.Context, engine *container.Engine) error {
	names, err := f.in(engine.Host)
	if err != nil {
		return err
	}
	for _, n := range names {
		image, err := engine.Image(ctx, n.name)
		if err == nil && image.ID == n.id {
			err = engine.Untag(ctx, n.name)
		}
		if code := fairlead.CodeOf(err); err != nil && code != fairlead.NotFound && code != fairlead.Conflict {
			return err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	known, err := f.read()
	if err != nil {
		return err
	}
	return f.write(slices.DeleteFunc(known, func(n fetchedName) bool { return slices.Contains(names, n) }))
}

func (f *fetched) read() ([]fetchedName, error) {
	data, err := os.ReadFile(f.file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read which images were fetched: %w", err)
	}
	var names []fetchedName
	for line := range strings.Lines(string(data)) {
		if cells := strings.Split(strings.TrimSuffix(line, "\n"), "\t"); len(cells) == 3 {
			names = append(names, fetchedName{cells[0], cells[1], fairlead.Digest(cells[2])})
		}
	}
	return names, nil
}

// write puts another file in the place of the one that is there, and none for nothing.
func (f *fetched) write(names []fetchedName) error {
	if len(names) == 0 {
		if err := os.Remove(f.file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("note that no images were fetched: %w", err)
		}
		return nil
	}
	var text strings.Builder
	for _, n := range names {
		fmt.Fprintf(&text, "%s\t%s\t%s\n", n.host, n.name, n.id)
	}
	next := f.file + ".new"
	if err := errors.Join(os.WriteFile(next, []byte(text.String()), 0o600), os.Rename(next, f.file)); err != nil {
		return fmt.Errorf("note which images were fetched: %w", err)
	}
	return nil
}
