package container

import (
	"archive/tar"
	"context"
	"errors"
	"io"
	"strings"

	"github.com/moby/moby/api/types/jsonstream"
	"github.com/moby/moby/client"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/internal/disk"
)

// Load loads the image that an archive holds, of Docker's form or OCI's, and returns
// its id, that of its configuration. No name in the archive is given to it.
//
// Errors: invalid for what is no archive of one image that this machine can run,
// unavailable where the engine cannot take it.
func (e *Engine) Load(ctx context.Context, archive Entries, tell func(fairlead.Progress)) (fairlead.Digest, error) {
	const op = "load the archive"
	image, err := inspect(archive)
	if err != nil {
		return "", err
	}
	check := &unpacked{ids: image.ids, most: e.mostUnpacked(ctx, image)}
	from, to := io.Pipe()
	wrote := make(chan error, 1)
	go func() { // ends with the load, which closes the pipe
		err := image.write(to, archive, check, func(done, total int64) {
			tell(fairlead.Progress{Doing: "loading the image", Done: done, Total: total, Percent: 100 * float64(done) / float64(max(1, total))})
		})
		wrote <- errors.Join(err, to.CloseWithError(err))
	}()
	err = e.load(ctx, from)
	_ = from.CloseWithError(errEnough)
	if writing := <-wrote; writing != nil && !errors.Is(writing, errEnough) {
		return "", writing
	}
	if err != nil {
		return "", e.unloaded(op, err)
	}
	if found, err := e.Image(ctx, string(image.id())); err != nil || found.ID != image.id() {
		return "", fairlead.Errorf(fairlead.Unavailable, op, "%s took it, and does not know it by the digest of its configuration, %s: %w", e.Name, image.id().Short(), err)
	}
	return image.id(), nil
}

// errEnough ends the writing of what nobody reads any more.
var errEnough = errors.New("the engine took no more")

func (e *Engine) load(ctx context.Context, archive io.Reader) error {
	answer, err := e.api.ImageLoad(ctx, archive, client.ImageLoadWithQuiet(true))
	if err != nil {
		return err
	}
	defer answer.Close()
	return messages(answer, func(jsonstream.Message) error { return nil })
}

// unloaded puts a load or save that failed in words.
func (e *Engine) unloaded(op string, err error) error {
	if strings.Contains(err.Error(), "no space left on device") || disk.Full(err) {
		return fairlead.Errorf(fairlead.Unavailable, op, "the engine's disk is full: %w", said{err}).WithHint(fullHint)
	}
	if client.IsErrConnectionFailed(err) {
		return e.failed(op, err)
	}
	return fairlead.Errorf(fairlead.Invalid, op, "%s does not take it: %w", e.Name, said{err}).
		WithHint("try it: docker load -i FILE")
}

// Save reads an image as an archive that Load takes. The caller reads it once.
func (e *Engine) Save(ctx context.Context, id fairlead.Digest) Entries {
	return func(each func(Entry) error) error {
		saved, err := e.api.ImageSave(ctx, []string{string(id)})
		if err != nil {
			return e.failed("save the image "+id.Short(), err)
		}
		defer saved.Close()
		return readTar(tar.NewReader(saved), each)
	}
}
