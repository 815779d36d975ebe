package console

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// madeOf matches a class whose end is made where it is used, such as badge-{{.Tone}}.
var madeOf = regexp.MustCompile("([a-z][a-z-]*-)(?:\\{\\{|[\"`] ?\\+|\\$\\{)")

func TestEveryRuleOfTheStylesIsUsed(t *testing.T) {
	var styles, users strings.Builder
	for _, pattern := range []string{"*.go", "chart/*.go", "templates/*.html", "assets/*.js", "assets/*.css"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("no files %s: %v", pattern, err)
		}
		for _, file := range files {
			text, err := fs.ReadFile(os.DirFS("."), file)
			switch {
			case err != nil:
				t.Fatal(err)
			case strings.HasSuffix(file, ".css"):
				styles.Write(text)
			case !strings.HasSuffix(file, "_test.go"):
				users.Write(text)
			}
		}
	}
	used := map[string]bool{}
	for _, word := range regexp.MustCompile(`[A-Za-z][\w-]*`).FindAllString(users.String(), -1) {
		used[word] = true
	}
	made := []string{}
	for _, begins := range madeOf.FindAllStringSubmatch(users.String(), -1) {
		made = append(made, begins[1])
	}
	rules := regexp.MustCompile(`(?s)/\*.*?\*/|\{[^{}]*\}`).ReplaceAllString(styles.String(), " ")
	for _, found := range regexp.MustCompile(`[.#]([a-z][\w-]*)`).FindAllStringSubmatch(rules, -1) {
		name := found[1]
		begins := false
		for _, prefix := range made {
			begins = begins || strings.HasPrefix(name, prefix)
		}
		if !used[name] && !begins {
			t.Errorf("no page has anything of the rule for %s", found[0])
		}
	}
}
