package client

import (
	"context"
	"net/http"
	"time"
)

// Devices are the GPUs of a machine.
type Devices struct {
	Devices []Device  `json:"devices"`
	Notes   []string  `json:"notes"` // what could not be read of them, and why
	Looked  time.Time `json:"looked"`
}

// Device is one GPU.
type Device struct {
	ID      string       `json:"id"`
	PCI     string       `json:"pci"`
	Vendor  string       `json:"vendor"`
	Name    string       `json:"name"`
	Memory  int64        `json:"memory"`           // bytes, 0 where it is not known
	Used    *int64       `json:"used,omitempty"`   // bytes of its memory, by whomever
	Busy    *float64     `json:"busy,omitempty"`   // share of the last moments in which it worked, 0 to 1
	Health  string       `json:"health"`           // "ok", or why it is given to nobody
	Failed  *time.Time   `json:"failed,omitempty"` // since when
	Note    string       `json:"note,omitempty"`
	Nodes   []string     `json:"nodes"`
	CDI     string       `json:"cdi,omitempty"`
	Holders []DeviceUser `json:"holders"`
}

// DeviceUser is an instance that has a GPU or a part of it.
type DeviceUser struct {
	App      string  `json:"app"`
	Env      string  `json:"env"`
	Release  int     `json:"release"`
	Instance string  `json:"instance"`
	Whole    bool    `json:"whole"`
	Share    float64 `json:"share,omitempty"`  // percent of it, where it asked so
	Memory   int64   `json:"memory,omitempty"` // bytes of its memory, where it asked so
}

// Devices lists the machine's GPUs.
func (c *Client) Devices(ctx context.Context) (Devices, error) {
	return call[Devices](ctx, c, http.MethodGet, "/v1/devices", nil)
}
