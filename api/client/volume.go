package client

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// Volume is storage of an app in an environment: a line of GET /v1/volumes. A volume
// that begins anew with each release has one for each release.
type Volume struct {
	App      string    `json:"app"`
	Env      string    `json:"env"`
	Name     string    `json:"name"`
	Release  int       `json:"release,omitempty"` // whose part it is; 0 where releases hand it on
	Path     string    `json:"path,omitempty"`    // where the app sees it; empty where nothing is recorded of it
	Size     int64     `json:"size,omitempty"`    // bytes that it shall hold at most; 0 where nothing is recorded of it
	Used     int64     `json:"used"`              // bytes that it held when it was measured
	Measured time.Time `json:"measured,omitzero"`
	Over     bool      `json:"over,omitempty"`   // it holds more than its size
	Shared   bool      `json:"shared,omitempty"` // several instances may write at once
	Users    []string  `json:"users,omitempty"`  // live releases that name it, such as "triage@3"
}

// Volumes returns all volumes, sorted.
func (c *Client) Volumes(ctx context.Context) ([]Volume, error) {
	return call[[]Volume](ctx, c, http.MethodGet, "/v1/volumes", nil)
}

// RemoveVolume destroys a volume with all that it holds. It is a conflict while a live
// release names it.
func (c *Client) RemoveVolume(ctx context.Context, app, env, name string) error {
	_, err := call[struct{}](ctx, c, http.MethodDelete, "/v1/volumes/"+url.PathEscape(env)+"/"+url.PathEscape(app)+"/"+url.PathEscape(name), nil)
	return err
}
