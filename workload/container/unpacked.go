package container

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"

	"github.com/moby/moby/client"
	"golang.org/x/sys/unix"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/internal/figures"
)

// unpacked watches the layers of an image on their way to an engine, so that none grows
// beyond all bounds where it is unpacked, and each is what the image's configuration says:
// by that configuration alone the image is known. It is for one goroutine.
type unpacked struct {
	ids   map[string]fairlead.Digest // by the layer's name in the archive: digest of its tar stream
	most  int64                      // bytes that they may have; less than maxUnpacked where the engine's disk has no more
	bytes int64                      // of files, as long as they say that they are
	files int
}

// The most that the layers of one image hold when they are unpacked.
const maxLayerFiles = 4_000_000

// otherPacking are the first bytes of forms that only some engines unpack.
var otherPacking = map[string][]byte{
	"bzip2": []byte("BZh"), "xz": {0xfd, '7', 'z', 'X', 'Z', 0}, "zstd": {0x28, 0xb5, 0x2f, 0xfd},
}

// watch returns the content of the layer called name, whose reading fails where the layer
// is not what it must be. end, called when all of it was read, says whether it was.
func (u *unpacked) watch(name string, content io.Reader) (watched io.Reader, end func() error) {
	from, to := io.Pipe()
	done := make(chan error, 1)
	go func() { // ends when the pipe is closed
		err := u.read(name, from)
		from.CloseWithError(err)
		done <- err
	}()
	return io.TeeReader(content, to), func() error {
		to.Close()
		return <-done
	}
}

// read reads a layer to its end.
func (u *unpacked) read(name string, from io.Reader) error {
	plain, err := unzipped(name, from)
	if err != nil {
		return err
	}
	limited := &io.LimitedReader{R: plain, N: u.most + 1}
	hash := sha256.New()
	all := io.TeeReader(limited, hash)
	if err := u.count(name, tar.NewReader(all)); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, all); err != nil { // what is after the end of a tar is in its digest too
		return refuseArchive("the layer %.80q is cut off: %w", name, err)
	}
	if limited.N == 0 {
		return u.tooLarge(name)
	}
	if got := fairlead.Digest("sha256:" + hex.EncodeToString(hash.Sum(nil))); got != u.ids[name] {
		return refuseArchive("the layer %.80q is not the one that the image's configuration names", name)
	}
	_, err = io.Copy(io.Discard, from) // what is after the end of a gzip stream
	return err
}

// unzipped is a layer as a tar stream.
func unzipped(name string, from io.Reader) (io.Reader, error) {
	buffered := bufio.NewReaderSize(from, 1<<16)
	magic, _ := buffered.Peek(6)
	for packing, begins := range otherPacking {
		if bytes.HasPrefix(magic, begins) {
			return nil, refuseArchive("the layer %.80q is packed by %s, which not every engine reads", name, packing)
		}
	}
	if !bytes.HasPrefix(magic, []byte{0x1f, 0x8b}) {
		return buffered, nil
	}
	plain, err := gzip.NewReader(buffered)
	if err != nil {
		return nil, refuseArchive("the layer %.80q begins as gzip and is none: %w", name, err)
	}
	return plain, nil
}

// count adds what is in a layer, by what its files say: one with holes is as long as it
// is when the holes are filled.
func (u *unpacked) count(name string, files *tar.Reader) error {
	for {
		header, err := files.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return refuseArchive("the layer %.80q is no tar file: %w", name, err)
		}
		u.files++
		u.bytes += min(header.Size, maxUnpacked+1)
		if u.files > maxLayerFiles || u.bytes > u.most {
			return u.tooLarge(name)
		}
	}
}

func (u *unpacked) tooLarge(name string) error {
	if u.files <= maxLayerFiles && u.bytes <= maxUnpacked && u.most < maxUnpacked {
		return fairlead.Errorf(fairlead.Unavailable, "load the archive", "the engine's disk is too full: with the layer %.80q the image needs more than the %s beside its archive that are free", name, figures.Bytes(u.most)).
			WithHint(fullHint)
	}
	return fairlead.Errorf(fairlead.Invalid, "read the archive", "with the layer %.80q the image is larger than %d GiB, or has more than %d files, when it is unpacked", name, int64(maxUnpacked>>30), maxLayerFiles).
		WithHint("keep large data out of the image: in a volume, or in files that the App file names")
}

// mostUnpacked is what the layers of an image may have that is sent to an engine: what
// its disk has free beside what is sent, where that can be told and the engine has not
// got the image already.
func (e *Engine) mostUnpacked(ctx context.Context, image shape) int64 {
	if found, err := e.Image(ctx, string(image.id())); err == nil && found.ID == image.id() {
		return maxUnpacked
	}
	info, err := e.api.Info(ctx, client.InfoOptions{})
	var disk unix.Statfs_t
	if err != nil || info.Info.DockerRootDir == "" || unix.Statfs(info.Info.DockerRootDir, &disk) != nil {
		return maxUnpacked
	}
	free := int64(min(disk.Bavail, maxUnpacked)) * int64(disk.Bsize) // blocks: more than enough, and no overflow
	return max(0, min(maxUnpacked, free-image.bytes))
}
