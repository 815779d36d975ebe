package client

import (
	"time"

	"github.com/fairlead/fairlead"
)

// NewLink asks for a link that opens the console once: posted to /v1/console/links.
type NewLink struct {
	Role fairlead.Role `json:"role,omitempty" doc:"what its user may do: viewer, operator or admin, at most as the caller; default as the caller"`
}

// Link opens the console once, for who asked for it.
type Link struct {
	URL     string        `json:"url"`
	Role    fairlead.Role `json:"role"`
	Expires time.Time     `json:"expires"` // of the link, not of the session
	Seconds int           `json:"seconds" doc:"how long the link may be used"`
}

// EndedSessions is how many sessions of the console were ended.
type EndedSessions struct {
	Ended int `json:"ended"`
}
