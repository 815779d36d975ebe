package e2e

import (
	"encoding/json"
	"strings"
)

// refusal is the error that a command ended with, as JSON has it.
type refusal struct{ Code, Operation, Message, Hint string }

func (r refusal) String() string {
	return r.Code + ": " + r.Operation + ": " + r.Message + "\n  hint: " + r.Hint
}

// refused runs a command that has to fail with an exit status and exactly one error,
// which says what to do about it.
func (w *world) refused(code int, args ...string) refusal {
	w.Helper()
	return w.refusalOf(w.run(append(args, "--output", "json")...), code)
}

// refusalOf is the refusal that a command ended with.
func (w *world) refusalOf(r result, code int) refusal {
	w.Helper()
	var all []refusal
	for line := range strings.Lines(r.err) {
		var e struct{ Error *refusal }
		if json.Unmarshal([]byte(line), &e) == nil && e.Error != nil {
			all = append(all, *e.Error)
		}
	}
	if r.code != code || len(all) != 1 || all[0].Message == "" || all[0].Hint == "" || r.out != "" {
		w.Fatalf("want exit status %d and one error with a hint: %s\n%s", code, r, w.why())
	}
	return all[0]
}

// says says that a refusal has all words.
func (w *world) says(r refusal, words ...string) {
	w.Helper()
	for _, word := range words {
		if !strings.Contains(r.String(), word) {
			w.Errorf("%q is not in: %s", word, r)
		}
	}
}
