package serve

import (
	"bufio"
	"encoding/json"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"
)

// calm returns the configuration of a release with a knowledge base that answers
// at once.
func calm(t testing.TB, version string) config {
	t.Helper()
	c, err := loadConfig("../release/" + version + "/config/triage.json")
	if err != nil {
		t.Fatal(err)
	}
	c.Upstream.Latency, c.ChunkPause = latencyConfig{}, duration{}
	return c
}

func newTestApp(t testing.TB, c config) *app {
	t.Helper()
	c.Model, c.Prompt = "../release/v1/"+c.Model, "../release/v1/"+c.Prompt
	a, err := newApp(c, "7", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// sound is a configuration whose knowledge base never fails.
func sound(t testing.TB) config {
	c := calm(t, "v1")
	c.Upstream.FaultRate = 0
	return c
}

func post(t *testing.T, a *app, body string) *httptest.ResponseRecorder {
	t.Helper()
	recorder := httptest.NewRecorder()
	request := httptest.NewRequest("POST", "/v1/chat/completions", strings.NewReader(body))
	request.Header.Set("X-Request-Id", "id-1")
	a.routes().ServeHTTP(recorder, request)
	return recorder
}

const refundTicket = `{"model":"triage","messages":[{"role":"user","content":"You charged my card twice, please refund"}]}`

func TestAChatIsAnsweredInTheFormOfTheProtocol(t *testing.T) {
	got := post(t, newTestApp(t, sound(t)), refundTicket)
	var out completion
	if err := json.Unmarshal(got.Body.Bytes(), &out); err != nil {
		t.Fatal(err)
	}
	if got.Code != 200 || out.Object != "chat.completion" || len(out.Choices) != 1 || out.Usage == nil {
		t.Fatalf("status %d: %s", got.Code, got.Body)
	}
	choice := out.Choices[0]
	if choice.FinishReason == nil || *choice.FinishReason != "stop" || choice.Message.Role != "assistant" {
		t.Errorf("choice %+v", choice)
	}
	if !strings.Contains(choice.Message.Content, "billing") {
		t.Errorf("reply %q does not name the category", choice.Message.Content)
	}
	if out.Usage.PromptTokens != 7 || out.Usage.TotalTokens != 7+out.Usage.CompletionTokens {
		t.Errorf("usage %+v", *out.Usage)
	}
	if got.Header().Get("X-Request-Id") != "id-1" || got.Header().Get("X-Triage-Release") != "7" {
		t.Errorf("header %v", got.Header())
	}
}

func TestTheLastMessageOfTheUserIsTheTicket(t *testing.T) {
	got := post(t, newTestApp(t, sound(t)), `{"model":"triage","temperature":0.2,"messages":[
		{"role":"user","content":"I forgot my password and cannot log in"},
		{"role":"assistant","content":"We sent you a link."},
		{"role":"user","content":[{"type":"text","text":"Thanks. Now cancel my subscription"},{"type":"text","text":"and close my account"}]}]}`)
	if !strings.Contains(got.Body.String(), "cancellation") {
		t.Errorf("status %d: %s", got.Code, got.Body)
	}
}

func TestAReplyCanBeJSON(t *testing.T) {
	c := sound(t)
	c.Reply = replyJSON
	var out completion
	if err := json.Unmarshal(post(t, newTestApp(t, c), refundTicket).Body.Bytes(), &out); err != nil {
		t.Fatal(err)
	}
	var reply struct{ Category, Urgency, NextAction, Reply string }
	if err := json.Unmarshal([]byte(out.Choices[0].Message.Content), &reply); err != nil {
		t.Fatal(err)
	}
	if reply.Category != "billing" || reply.Urgency != "normal" || reply.NextAction == "" || reply.Reply == "" {
		t.Errorf("reply %+v", reply)
	}
}

func TestUrgentWordsRaiseTheUrgency(t *testing.T) {
	for text, want := range map[string]string{"This is URGENT": "high", "no hurry": "low"} {
		if got := urgency(text, "low", []string{"urgent"}); got != want {
			t.Errorf("%q is %s, want %s", text, got, want)
		}
	}
}

func TestBadRequestsGetAnErrorInTheFormOfTheProtocol(t *testing.T) {
	a := newTestApp(t, sound(t))
	for _, test := range []struct {
		name, body, code string
		status           int
	}{
		{"cut off", `{"model":`, "invalid_json", 400},
		{"another model", `{"model":"gpt","messages":[]}`, "model_not_found", 404},
		{"no messages", `{"model":"triage","messages":[]}`, "invalid_messages", 400},
		{"nothing said", `{"model":"triage","messages":[{"role":"user","content":"  "}]}`, "invalid_messages", 400},
		{"a picture", `{"model":"triage","messages":[{"role":"user","content":[{"type":"image_url"}]}]}`, "invalid_json", 400},
		{"too large", `{"model":"triage","messages":[{"role":"user","content":"` + strings.Repeat("a", maxBody) + `"}]}`, "request_too_large", 413},
	} {
		got := post(t, a, test.body)
		var answer struct {
			Error struct{ Message, Type, Code string }
		}
		if err := json.Unmarshal(got.Body.Bytes(), &answer); err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
		e := answer.Error
		if got.Code != test.status || e.Code != test.code || e.Type != "invalid_request_error" || e.Message == "" {
			t.Errorf("%s: status %d, error %+v", test.name, got.Code, e)
		}
	}
}

// events reads the data of server-sent events.
func events(scanner *bufio.Scanner) func() (string, bool) {
	return func() (string, bool) {
		for scanner.Scan() {
			if data, ok := strings.CutPrefix(scanner.Text(), "data: "); ok {
				return data, true
			}
		}
		return "", false
	}
}

func openStream(t *testing.T, c config, options string) func() (string, bool) {
	t.Helper()
	server := httptest.NewServer(newTestApp(t, c).routes())
	t.Cleanup(server.Close)
	body := strings.Replace(refundTicket, `{"model"`, `{"stream":true,`+options+`"model"`, 1)
	response, err := http.Post(server.URL+"/v1/chat/completions", "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { response.Body.Close() })
	if kind := response.Header.Get("Content-Type"); kind != "text/event-stream" {
		t.Errorf("content type %q", kind)
	}
	return events(bufio.NewScanner(response.Body))
}

func TestAStreamEndsWithItsReasonItsUsageAndDone(t *testing.T) {
	next := openStream(t, sound(t), `"stream_options":{"include_usage":true},`)
	var text strings.Builder
	var finished, counted bool
	for {
		data, ok := next()
		if !ok {
			t.Fatal("the stream ended without [DONE]")
		}
		if data == "[DONE]" {
			break
		}
		var chunk completion
		if err := json.Unmarshal([]byte(data), &chunk); err != nil || chunk.Object != "chat.completion.chunk" {
			t.Fatalf("chunk %q: %v", data, err)
		}
		for _, choice := range chunk.Choices {
			text.WriteString(choice.Delta.Content)
			finished = choice.FinishReason != nil && *choice.FinishReason == "stop"
		}
		counted = chunk.Usage != nil && chunk.Usage.CompletionTokens == countTokens(text.String())
	}
	if !finished || !counted || !strings.Contains(text.String(), "billing") {
		t.Errorf("finished %t, counted %t, text %q", finished, counted, text.String())
	}
}

func TestChunksArriveOneByOne(t *testing.T) {
	c := sound(t)
	c.ChunkPause = duration{time.Hour} // only a chunk that was flushed at once arrives
	data, ok := openStream(t, c, "")()
	if !ok || !strings.Contains(data, `"role":"assistant"`) {
		t.Errorf("first chunk %q", data)
	}
}

func TestAConfigurationIsReadStrictly(t *testing.T) {
	good, err := os.ReadFile("../release/v1/config/triage.json")
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string][2]string{
		"unknown field":      {`"retries"`, `"retrys"`},
		"no such reply":      {`"text"`, `"xml"`},
		"rate above one":     {`0.05`, `1.5`},
		"negative retries":   {`"retries": 1`, `"retries": -1`},
		"not a duration":     {`"25s"`, `"25"`},
		"unknown urgency":    {`"low"`, `"lowish"`},
		"max below median":   {`"80ms"`, `"1ms"`},
		"something after it": {"\n}\n", "\n}\n{}"},
	} {
		file := t.TempDir() + "/triage.json"
		bad := strings.Replace(string(good), change[0], change[1], 1)
		if err := os.WriteFile(file, []byte(bad), 0o600); err != nil || bad == string(good) {
			t.Fatalf("%s: nothing changed (%v)", name, err)
		}
		if _, err := loadConfig(file); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// failureRate is the share of calls that fail, over a fixed sequence of chances.
func failureRate(t *testing.T, version string) float64 {
	t.Helper()
	a := newTestApp(t, calm(t, version))
	a.knowledge.random = rand.New(rand.NewPCG(1, 2))
	const calls = 20_000
	failed := 0
	for range calls {
		if _, err := a.answer(t.Context(), "please refund the last payment"); err != nil {
			failed++
		}
	}
	return float64(failed) / calls
}

func TestHalfAPercentOfCallsFailWithARetryAndFivePercentWithout(t *testing.T) {
	if rate := failureRate(t, "v1"); rate < 0.0035 || rate > 0.0065 {
		t.Errorf("v1 fails %.4f of the calls", rate)
	}
	if rate := failureRate(t, "v3"); rate < 0.045 || rate > 0.055 {
		t.Errorf("v3 fails %.4f of the calls", rate)
	}
}

func TestAFailedLookupAnswers500Or502(t *testing.T) {
	c := calm(t, "v3")
	c.Upstream.FaultRate = 1
	a := newTestApp(t, c)
	seen := map[int]int{}
	for range 100 {
		got := post(t, a, refundTicket)
		seen[got.Code]++
		if !strings.Contains(got.Body.String(), `"type":"server_error"`) {
			t.Fatalf("status %d: %s", got.Code, got.Body)
		}
	}
	if seen[500] == 0 || seen[502] == 0 || seen[500]+seen[502] != 100 {
		t.Errorf("statuses %v", seen)
	}
}

func TestLatencyHasAMedianAndABound(t *testing.T) {
	c, err := loadConfig("../release/v1/config/triage.json")
	if err != nil {
		t.Fatal(err)
	}
	k := knowledgeBase{config: c.Upstream, random: rand.New(rand.NewPCG(1, 2))}
	below := 0
	for range 10_000 {
		d := k.latency()
		if d < c.Upstream.Latency.Median.value {
			below++
		}
		if d <= 0 || d > c.Upstream.Latency.Max.value {
			t.Fatalf("latency %v", d)
		}
	}
	if below < 4800 || below > 5200 {
		t.Errorf("%d of 10000 are below the median", below)
	}
}

func BenchmarkChat(b *testing.B) {
	handler := newTestApp(b, sound(b)).routes()
	b.ReportAllocs()
	for b.Loop() {
		request := httptest.NewRequest("POST", "/v1/chat/completions", strings.NewReader(refundTicket))
		handler.ServeHTTP(httptest.NewRecorder(), request)
	}
}
