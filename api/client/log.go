package client

import (
	"context"
	"net/url"
	"strconv"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/workload"
)

// LogLine is one line that an instance wrote, or that its shim says of it (stream
// "fairlead"): a line of GET /v1/logs, and of a site's logs with format=json (NDJSON).
type LogLine struct {
	Time     string `json:"time"` // RFC 3339, when the line was written
	App      string `json:"app"`
	Env      string `json:"env"`
	Release  int    `json:"release"`
	Instance string `json:"instance"`
	Stream   string `json:"stream"` // stdout, stderr or fairlead
	Text     string `json:"text"`
}

// LogQuery says which lines are wanted. Empty fields are for any.
type LogQuery struct {
	Site     fairlead.Site
	Release  int
	Instance string
	workload.LogOptions
}

// LogLines calls each with every line that is wanted, as it comes; each instance's in
// their order. With Follow it goes on, also with instances that come, until ctx ends
// or each fails. Follow of one Instance ends with it.
func (c *Client) LogLines(ctx context.Context, q LogQuery, each func(LogLine) error) error {
	values := url.Values{"format": {"json"}, "tail": {strconv.Itoa(q.Tail)}, "follow": {strconv.FormatBool(q.Follow)}}
	if q.Instance != "" {
		values.Set("instance", q.Instance)
	}
	if q.Release != 0 {
		values.Set("release", strconv.Itoa(q.Release))
	}
	path := "/v1/logs"
	if q.Site != (fairlead.Site{}) {
		path = sitePath(q.Site) + "/logs"
	}
	body, err := c.stream(ctx, path+"?"+values.Encode())
	if err != nil {
		return err
	}
	defer body.Close()
	return decodeLines(body, each)
}
