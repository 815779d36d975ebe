package serve

import (
	"encoding/json"
	"strings"
	"text/template"
)

// answer is what triage says of a ticket, and what the prompt may use.
type answer struct {
	Category   string
	Confidence int // percent
	Urgency    string
	NextAction string
	Article    string // title of an article that may help
}

// urgency returns high if text holds an urgent word, otherwise usual.
func urgency(text, usual string, urgentWords []string) string {
	text = strings.ToLower(text)
	for _, word := range urgentWords {
		if strings.Contains(text, word) {
			return "high"
		}
	}
	return usual
}

// render fills the prompt, and wraps it as the reply's form demands.
func render(prompt *template.Template, form string, a answer) (string, error) {
	var text strings.Builder
	if err := prompt.Execute(&text, a); err != nil {
		return "", err
	}
	reply := strings.TrimSpace(text.String())
	if form == replyText {
		return reply, nil
	}
	data, err := json.Marshal(map[string]any{
		"category": a.Category, "confidence": a.Confidence, "urgency": a.Urgency,
		"nextAction": a.NextAction, "article": a.Article, "reply": reply,
	})
	return string(data), err
}
