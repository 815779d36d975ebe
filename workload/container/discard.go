package container

import (
	"context"
	"errors"

	"github.com/moby/moby/client"

	"github.com/fairlead/fairlead"
)

// Discard removes an image that has no name, which this program had loaded.
func (e *Engine) Discard(ctx context.Context, id fairlead.Digest) error {
	_, err := e.api.ImageRemove(ctx, string(id), client.ImageRemoveOptions{Force: true})
	if err != nil && !gone(err) {
		return e.failed("remove the image", err)
	}
	return nil
}

// DiscardLabelled removes every image that has a label of this value, with its names.
func (e *Engine) DiscardLabelled(ctx context.Context, label, value string) error {
	found, err := e.api.ImageList(ctx, client.ImageListOptions{All: true, Filters: client.Filters{}.Add("label", label+"="+value)})
	if err != nil {
		return e.failed("list images", err)
	}
	var failed error
	for _, image := range found.Items {
		failed = errors.Join(failed, e.Discard(ctx, fairlead.Digest(image.ID)))
	}
	return failed
}
