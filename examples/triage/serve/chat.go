package serve

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// Limits on what a client may send.
const (
	maxBody     = 256 << 10 // bytes of a request
	maxMessages = 200
)

// chatRequest is the part of an OpenAI chat request that triage needs. Fields
// that it does not know, such as temperature, are ignored, as the protocol grows.
type chatRequest struct {
	Model         string    `json:"model"`
	Messages      []message `json:"messages"`
	Stream        bool      `json:"stream"`
	StreamOptions struct {
		IncludeUsage bool `json:"include_usage"`
	} `json:"stream_options"`
}

type message struct {
	Role    string  `json:"role"`
	Content content `json:"content"`
}

// content is the text of a message: a string, or a list of parts of type text.
type content string

// UnmarshalJSON reads either form.
func (c *content) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err == nil {
		*c = content(text)
		return nil
	}
	var parts []struct {
		Type string `json:"type"`
		Text string `json:"text"`
	}
	if err := json.Unmarshal(data, &parts); err != nil {
		return errors.New("content is neither a string nor a list of parts")
	}
	var all []string
	for _, part := range parts {
		if part.Type != "text" {
			return fmt.Errorf("content parts of type %q are not supported", part.Type)
		}
		all = append(all, part.Text)
	}
	*c = content(strings.Join(all, "\n"))
	return nil
}

// ticket returns the last message of the user.
func (r chatRequest) ticket() (string, error) {
	if len(r.Messages) > maxMessages {
		return "", fmt.Errorf("%d messages are more than %d", len(r.Messages), maxMessages)
	}
	for i := len(r.Messages) - 1; i >= 0; i-- {
		if m := r.Messages[i]; m.Role == "user" && strings.TrimSpace(string(m.Content)) != "" {
			return string(m.Content), nil
		}
	}
	return "", errors.New("messages hold no text from a user")
}

// completion is a chat.completion, or a chat.completion.chunk of one.
type completion struct {
	ID      string   `json:"id"`
	Object  string   `json:"object"`
	Created int64    `json:"created"` // Unix seconds
	Model   string   `json:"model"`
	Choices []choice `json:"choices"`
	Usage   *usage   `json:"usage,omitempty"`
}

type choice struct {
	Index        int     `json:"index"`
	Message      *spoken `json:"message,omitempty"` // of a completion
	Delta        *spoken `json:"delta,omitempty"`   // of a chunk
	FinishReason *string `json:"finish_reason"`     // null until the last chunk
}

type spoken struct {
	Role    string `json:"role,omitempty"`
	Content string `json:"content,omitempty"`
}

// usage counts tokens. A token of triage is a run of text between spaces.
type usage struct {
	PromptTokens     int `json:"prompt_tokens"`
	CompletionTokens int `json:"completion_tokens"`
	TotalTokens      int `json:"total_tokens"`
}

func countUsage(messages []message, reply string) *usage {
	u := usage{CompletionTokens: countTokens(reply)}
	for _, m := range messages {
		u.PromptTokens += countTokens(string(m.Content))
	}
	u.TotalTokens = u.PromptTokens + u.CompletionTokens
	return &u
}

func countTokens(text string) int {
	n := 0
	for range strings.FieldsSeq(text) {
		n++
	}
	return n
}

// apiError is an error in the form of the OpenAI API.
type apiError struct {
	status  int
	Message string `json:"message"`
	Type    string `json:"type"`
	Code    string `json:"code"`
}
