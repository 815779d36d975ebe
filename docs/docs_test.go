// Package docs tests that the files shown in the documentation are valid.
package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/app"
)

var yamlBlock = regexp.MustCompile("(?s)```yaml\n(.*?)```")

const minimal = "apiVersion: fairlead.dev/v1\nkind: App\nmetadata:\n  name: support\nspec:\n  command: [./support]\n"

// TestTheAppFilesInTheDocumentationAreValid parses each YAML block of the README,
// of docs/ and of the reference of signals. A block that begins with spec: is a part of a file, and is put
// into a minimal one.
func TestTheAppFilesInTheDocumentationAreValid(t *testing.T) {
	files, err := filepath.Glob("*.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := 0
	for _, file := range append(files, "reference/signals.md", "../README.md") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range yamlBlock.FindAllStringSubmatch(string(text), -1) {
			blocks++
			if _, err := app.Parse(file, []byte(whole(match[1]))); err != nil {
				t.Errorf("%s:\n%s\n%v", file, match[1], err)
			}
		}
	}
	if blocks < 5 {
		t.Errorf("only %d blocks were found", blocks)
	}
}

func whole(block string) string {
	part, isPart := strings.CutPrefix(block, "spec:\n")
	if !isPart {
		return block
	}
	if !strings.Contains(part, "  artifact:") {
		part += "  artifact:\n    directory: ./dist\n"
	}
	if strings.Contains(part, "environments: [staging, production]") {
		part += "  environments:\n    - name: staging\n    - name: production\n"
	}
	return minimal + part
}
