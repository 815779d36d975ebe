package serve

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strconv"
	"text/template"
	"time"

	"github.com/fairlead/fairlead/examples/triage/serve/classify"
)

// modelName is what clients call the model.
const modelName = "triage"

// app answers requests. Nothing in it changes after newApp, so that all requests
// may use it at once.
type app struct {
	config    config
	release   string // of Fairlead, such as "7"; may be empty
	model     *classify.Model
	prompt    *template.Template
	knowledge knowledgeBase
	log       *slog.Logger
}

// newApp loads what the configuration names: an app that newApp returned is ready.
func newApp(c config, release string, log *slog.Logger) (*app, error) {
	model, err := classify.Load(c.Model)
	if err != nil {
		return nil, err
	}
	for _, class := range model.Classes() {
		if _, ok := c.Categories[class]; !ok {
			return nil, fmt.Errorf("the model knows the category %q, the configuration does not", class)
		}
	}
	prompt, err := template.ParseFiles(c.Prompt)
	if err != nil {
		return nil, fmt.Errorf("prompt: %w", err)
	}
	knowledge := knowledgeBase{config: c.Upstream, random: rand.New(processSource{})}
	return &app{config: c, release: release, model: model, prompt: prompt, knowledge: knowledge, log: log}, nil
}

// routes returns the app's HTTP handler.
func (a *app) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/chat/completions", a.chat)
	mux.HandleFunc("GET /v1/models", a.models)
	mux.HandleFunc("GET /healthz", a.ok) // alive: it answers
	mux.HandleFunc("GET /readyz", a.ok)  // ready: it listens only when all is loaded
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if id := r.Header.Get("X-Request-Id"); id != "" && len(id) <= 128 {
			w.Header().Set("X-Request-Id", id)
		}
		if a.release != "" {
			w.Header().Set("X-Triage-Release", a.release)
		}
		mux.ServeHTTP(w, r)
	})
}

func (a *app) ok(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") }

func (a *app) models(w http.ResponseWriter, _ *http.Request) {
	model := map[string]any{"id": modelName, "object": "model", "created": 0, "owned_by": "examples"}
	writeJSON(w, http.StatusOK, map[string]any{"object": "list", "data": []any{model}})
}

// chat answers POST /v1/chat/completions.
func (a *app) chat(w http.ResponseWriter, r *http.Request) {
	request, text, refused := readChat(w, r)
	if refused != nil {
		writeError(w, *refused)
		return
	}
	reply, err := a.answer(r.Context(), text)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	id := "chatcmpl-" + strconv.FormatUint(rand.Uint64(), 36)
	out := completion{ID: id, Created: time.Now().Unix(), Model: modelName}
	if request.Stream {
		a.stream(w, r, request, out, reply)
		return
	}
	stop := "stop"
	out.Object = "chat.completion"
	out.Choices = []choice{{Message: &spoken{Role: "assistant", Content: reply}, FinishReason: &stop}}
	out.Usage = countUsage(request.Messages, reply)
	writeJSON(w, http.StatusOK, out)
}

// readChat reads a request and the ticket in it, or says why not.
func readChat(w http.ResponseWriter, r *http.Request) (request chatRequest, text string, refused *apiError) {
	invalid := func(status int, code, message string) *apiError {
		return &apiError{status: status, Message: message, Type: "invalid_request_error", Code: code}
	}
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&request)
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return request, "", invalid(http.StatusRequestEntityTooLarge, "request_too_large", err.Error())
	}
	if err != nil {
		return request, "", invalid(http.StatusBadRequest, "invalid_json", "the body is not a chat request: "+err.Error())
	}
	if request.Model != modelName {
		message := fmt.Sprintf("the model %q does not exist; this one is %q", request.Model, modelName)
		return request, "", invalid(http.StatusNotFound, "model_not_found", message)
	}
	if text, err = request.ticket(); err != nil {
		return request, "", invalid(http.StatusBadRequest, "invalid_messages", err.Error())
	}
	return request, text, nil
}

// answer writes the reply to a ticket.
func (a *app) answer(ctx context.Context, text string) (string, error) {
	class, confidence := a.model.Classify(text)
	article, err := a.knowledge.lookup(ctx, class)
	if err != nil {
		return "", err
	}
	known := a.config.Categories[class]
	return render(a.prompt, a.config.Reply, answer{
		Category:   class,
		Confidence: int(100 * confidence),
		Urgency:    urgency(text, known.Urgency, a.config.UrgentWords),
		NextAction: known.NextAction,
		Article:    article,
	})
}

// fail logs why a request failed and answers it, unless nobody waits any more.
func (a *app) fail(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil {
		return // the client is gone, nobody failed it
	}
	answer := apiError{http.StatusInternalServerError, "the reply could not be written", "server_error", "reply_failed"}
	if upstream := (*upstreamError)(nil); errors.As(err, &upstream) {
		answer = apiError{upstream.status, upstream.Error(), "server_error", "upstream_failed"}
	}
	a.log.Error("request failed", "request", r.Header.Get("X-Request-Id"), "status", answer.status, "error", err)
	writeError(w, answer)
}

func writeError(w http.ResponseWriter, e apiError) {
	writeJSON(w, e.status, map[string]any{"error": e})
}

// writeJSON answers with a value. A client that is gone is no error of ours.
func writeJSON(w http.ResponseWriter, status int, value any) {
	data, err := json.Marshal(value)
	if err != nil {
		status, data = http.StatusInternalServerError, []byte(`{"error":{"message":"internal error","type":"server_error"}}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(data, '\n'))
}
