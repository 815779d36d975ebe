package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/artifact"
	"github.com/fairlead/fairlead/internal/atomicfile"
	"github.com/fairlead/fairlead/internal/disk"
)

// sweep removes what a crash left half made: temporary files, clones, and trees of
// artifacts that no release has. It runs before anything that could make one: the
// lock of the state directory keeps other control planes out. The gateway and the
// shims, which may run, have directories of their own.
func (s *control) sweep(ctx context.Context) error {
	for _, dir := range []string{s.State, s.run()} {
		if err := sweepDir(dir); err != nil {
			return err
		}
	}
	clones, err := os.ReadDir(s.scratch())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("look for abandoned builds: %w", err)
	}
	for _, clone := range clones {
		if err := artifact.RemoveTree(filepath.Join(s.scratch(), clone.Name())); err != nil {
			return fmt.Errorf("remove an abandoned build: %w", err)
		}
	}
	needed, err := s.releasedTrees(ctx)
	if err != nil {
		return err
	}
	return s.trees.Sweep(needed)
}

// sweepDir removes the temporary files in a directory that nobody writes to. One
// that is not there has none.
func sweepDir(dir string) error {
	err := atomicfile.Sweep(disk.OS{}, dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove temporary files: %w", err)
	}
	return nil
}

// releasedTrees returns the trees of all releases.
func (s *control) releasedTrees(ctx context.Context) (map[fairlead.Digest]bool, error) {
	releases, err := s.allReleases(ctx)
	trees := map[fairlead.Digest]bool{}
	for _, r := range releases {
		trees[r.Content.Artifact] = true
	}
	return trees, err
}

// allReleases returns the releases of all apps.
func (s *control) allReleases(ctx context.Context) ([]fairlead.Release, error) {
	rows, err := s.store.Rows(ctx, fairlead.ReleaseRow, "")
	if err != nil {
		return nil, err
	}
	var all []fairlead.Release
	for _, row := range rows {
		var r fairlead.Release
		if err := json.Unmarshal(row.Value, &r); err != nil {
			return nil, fairlead.Errorf(fairlead.Corrupt, "read release "+row.Key, "%w", err).WithHint("run: fairlead ledger verify")
		}
		all = append(all, r)
	}
	return all, nil
}
