package serve

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// The forms of a reply.
const (
	replyText = "text" // the rendered prompt
	replyJSON = "json" // an object that also has the category, urgency and next action
)

// config is config/triage.json.
type config struct {
	Model       string              `json:"model"`       // file of the weights
	Prompt      string              `json:"prompt"`      // file of the reply's template
	Reply       string              `json:"reply"`       // text or json
	Upstream    upstreamConfig      `json:"upstream"`    // the knowledge base
	Categories  map[string]category `json:"categories"`  // one for each that the model knows
	UrgentWords []string            `json:"urgentWords"` // raise the urgency to high; lower case
	ChunkPause  duration            `json:"chunkPause"`  // between the chunks of a stream
	Drain       duration            `json:"drain"`       // for requests in flight at the end
}

// category is what to do with tickets of one category.
type category struct {
	Urgency    string `json:"urgency"` // low, normal or high
	NextAction string `json:"nextAction"`
}

// duration is a time that JSON writes as "5ms".
type duration struct{ value time.Duration }

// UnmarshalText reads text such as "5ms".
func (d *duration) UnmarshalText(text []byte) (err error) {
	d.value, err = time.ParseDuration(string(text))
	return err
}

// loadConfig reads and checks a configuration. Unknown fields, missing values and
// anything after the object are errors.
func loadConfig(file string) (config, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return config{}, err
	}
	var c config
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&c); err != nil {
		return config{}, err
	}
	if _, err := decoder.Token(); err != io.EOF {
		return config{}, errors.New("something stands after the configuration's object")
	}
	return c, c.check()
}

// check returns what is wrong with c, all of it.
func (c config) check() error {
	var wrong []error
	must := func(ok bool, format string, args ...any) {
		if !ok {
			wrong = append(wrong, fmt.Errorf(format, args...))
		}
	}
	must(c.Model != "", "model: name a file")
	must(c.Prompt != "", "prompt: name a file")
	must(c.Reply == replyText || c.Reply == replyJSON, "reply: %q is neither text nor json", c.Reply)
	must(len(c.Categories) > 0, "categories: none given")
	for name, category := range c.Categories {
		known := category.Urgency == "low" || category.Urgency == "normal" || category.Urgency == "high"
		must(known, "categories.%s.urgency: %q is not low, normal or high", name, category.Urgency)
		must(category.NextAction != "", "categories.%s.nextAction: say what to do", name)
	}
	must(c.ChunkPause.value >= 0 && c.ChunkPause.value <= time.Second, "chunkPause: %v is not between 0 and 1s", c.ChunkPause.value)
	must(c.Drain.value > 0, "drain: %v is not above 0", c.Drain.value)
	return errors.Join(append(wrong, c.Upstream.check())...)
}
