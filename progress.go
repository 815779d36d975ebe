package fairlead

// Progress is how far something that takes long is, for who waits for it.
type Progress struct {
	Doing   string  `json:"doing,omitempty"`   // such as "pulling registry.example/triage:3"
	Percent float64 `json:"percent,omitempty"` // of it, where it is known; it never goes back
	Done    int64   `json:"done,omitempty"`    // bytes, where they are known
	Total   int64   `json:"total,omitempty"`
	Detail  string  `json:"detail,omitempty"` // such as "3 of 7 layers"
	Note    string  `json:"note,omitempty"`   // instead of all the rest: a sentence to be kept in mind
}
