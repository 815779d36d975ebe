package client

import (
	"context"
	"net/http"
)

// Room is GET /v1/room: what the machine has for instances, what is promised of it,
// and to whom.
type Room struct {
	CPU       Account    `json:"cpu"`               // in thousandths of a core; all limits together may be several times the cores
	MilliCPU  int64      `json:"milliCPU"`          // thousandths of a core that the machine has
	Memory    Account    `json:"memory"`            // in bytes
	Storage   Account    `json:"storage"`           // in bytes; taken is what volumes may still fill
	Bounded   string     `json:"bounded,omitempty"` // by what the memory is bounded, where it is not the machine
	State     string     `json:"state"`             // the directory whose file system Storage is of
	Images    *RoomDisk  `json:"images,omitempty"`  // where a container engine keeps images, if that is another file system
	Taken     []RoomPart `json:"taken"`
	Unlimited []string   `json:"unlimited,omitempty"` // releases without a memory limit, which count as nothing
}

// Account is how much of a resource is taken.
type Account struct {
	Has     int64 `json:"has"`               // 0 where it is not known
	Reserve int64 `json:"reserve,omitempty"` // of Has, not for instances
	Taken   int64 `json:"taken"`
	Free    int64 `json:"free"` // negative where more is promised than there is
}

// RoomDisk is a file system.
type RoomDisk struct {
	Path string `json:"path"`
	Size int64  `json:"size"` // bytes
	Free int64  `json:"free"`
}

// RoomPart is what one release at one site takes.
type RoomPart struct {
	App       string       `json:"app"`
	Env       string       `json:"env"`
	Release   int          `json:"release"`
	Running   int          `json:"running"`             // instances now
	Most      int          `json:"most"`                // instances at most, in the stages of its rollout that are to come
	MilliCPU  int64        `json:"milliCPU,omitempty"`  // of one instance; 0 for no limit
	Memory    int64        `json:"memory,omitempty"`    // bytes of one instance; 0 for no limit
	GPU       string       `json:"gpu,omitempty"`       // of one instance, in words
	ImageSize int64        `json:"imageSize,omitempty"` // bytes that its image has on disk
	Volumes   []RoomVolume `json:"volumes,omitempty"`   // of the live release
}

// RoomVolume is storage that a release declares.
type RoomVolume struct {
	Name string `json:"name"`
	Size int64  `json:"size"` // bytes that it may hold; 0 for no limit
	Used int64  `json:"used"`
}

// Room returns what the machine has and what is promised of it.
func (c *Client) Room(ctx context.Context) (Room, error) {
	return call[Room](ctx, c, http.MethodGet, "/v1/room", nil)
}
