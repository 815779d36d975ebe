package images

import (
	"archive/tar"
	"io"
	"path"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/artifact"
	"github.com/fairlead/fairlead/workload/container"
)

// readDockerfile reads the Dockerfile of a context.
func readDockerfile(trees *artifact.Store, tree artifact.Manifest, name string) ([]byte, error) {
	file, ok := tree.Find(name)
	if !ok || file.Link != "" || file.Size > container.MaxDockerfile {
		return nil, fairlead.Errorf(fairlead.Invalid, "", "the context that was uploaded has no file %s of at most %d bytes", name, container.MaxDockerfile).
			WithHint("deploy again: the file must be there, and no link")
	}
	blob, err := trees.Open(file.Digest)
	if err != nil {
		return nil, err
	}
	defer blob.Close()
	return io.ReadAll(blob)
}

// pack writes a context as a tar stream. Times and owners are always the same, so
// that the engine finds what it has built before.
func pack(trees *artifact.Store, tree artifact.Manifest, w io.Writer) error {
	out := tar.NewWriter(w)
	seen := map[string]bool{}
	for _, f := range tree.Files {
		if err := packDirs(out, path.Dir(f.Path), seen); err != nil {
			return err
		}
		if err := packFile(trees, out, f); err != nil {
			return err
		}
	}
	return out.Close()
}

func packDirs(out *tar.Writer, dir string, seen map[string]bool) error {
	if dir == "." || seen[dir] {
		return nil
	}
	if err := packDirs(out, path.Dir(dir), seen); err != nil {
		return err
	}
	seen[dir] = true
	return out.WriteHeader(&tar.Header{Name: dir + "/", Mode: 0o755, Typeflag: tar.TypeDir, ModTime: time.Unix(0, 0)})
}

func packFile(trees *artifact.Store, out *tar.Writer, f artifact.File) error {
	header := &tar.Header{Name: f.Path, Mode: 0o644, Size: f.Size, Typeflag: tar.TypeReg, ModTime: time.Unix(0, 0)}
	if f.Executable {
		header.Mode = 0o755
	}
	if f.Link != "" {
		header.Typeflag, header.Linkname, header.Mode = tar.TypeSymlink, f.Link, 0o777
		return out.WriteHeader(header)
	}
	if err := out.WriteHeader(header); err != nil {
		return err
	}
	blob, err := trees.Open(f.Digest)
	if err != nil {
		return err
	}
	defer blob.Close()
	_, err = io.Copy(out, blob)
	return err
}
