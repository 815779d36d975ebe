package serve

import (
	"encoding/json"
	"net/http"
	"strings"
)

// stream answers with server-sent events, a word at a time, each sent at once.
// It ends early when the client goes away.
func (a *app) stream(w http.ResponseWriter, r *http.Request, request chatRequest, out completion, reply string) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-cache")
	control := http.NewResponseController(w)
	for _, chunk := range chunks(request, out, reply) {
		if !writeEvent(w, control, chunk) || pause(r.Context(), a.config.ChunkPause.value) != nil {
			return
		}
	}
	_, _ = w.Write([]byte("data: [DONE]\n\n"))
}

// chunks returns the chunks of a reply: the role, each word, the reason to
// finish, and the usage if the client asked for it.
func chunks(request chatRequest, out completion, reply string) []completion {
	out.Object = "chat.completion.chunk"
	chunk := func(delta spoken, finish *string) completion {
		out.Choices = []choice{{Delta: &delta, FinishReason: finish}}
		return out
	}
	all := []completion{chunk(spoken{Role: "assistant"}, nil)}
	for word := range strings.SplitAfterSeq(reply, " ") {
		all = append(all, chunk(spoken{Content: word}, nil))
	}
	stop := "stop"
	all = append(all, chunk(spoken{}, &stop))
	if request.StreamOptions.IncludeUsage {
		out.Choices, out.Usage = []choice{}, countUsage(request.Messages, reply)
		all = append(all, out)
	}
	return all
}

// writeEvent sends one chunk and reports whether the client took it.
func writeEvent(w http.ResponseWriter, control *http.ResponseController, chunk completion) bool {
	data, err := json.Marshal(chunk)
	if err != nil {
		return false
	}
	if _, err := w.Write([]byte("data: " + string(data) + "\n\n")); err != nil {
		return false
	}
	return control.Flush() == nil
}
