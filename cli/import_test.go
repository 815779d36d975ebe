package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/app/compose"
)

// composeIn writes a compose file into a new directory.
func composeIn(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "compose.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestImportWritesAppFilesAndListsWhatIsLost(t *testing.T) {
	w := &world{t: t}
	file := composeIn(t, "services:\n  web:\n    image: team/web:3\n    ports: ['80:8000']\n    privileged: true\n    environment: {API_TOKEN: s3cr3t-value}\n  db: {image: 'postgres:16'}\n")
	status, out, errOut := w.runIn(t.Context(), "import", file, "--dry-run")
	if status != ExitPartly || errOut != "" {
		t.Fatalf("status %d, %s", status, errOut)
	}
	for _, want := range []string{"web   would be ", "lost     line 5, privileged: true: no app gets the whole machine", "db   no App", "fairlead secret set API_TOKEN --env production"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in:\n%s", want, out)
		}
	}
	if strings.Contains(out, "s3cr3t-value") {
		t.Errorf("a secret is in:\n%s", out)
	}
	app := filepath.Join(filepath.Dir(file), "web.fairlead.yaml")
	if _, err := os.Stat(app); err == nil {
		t.Error("a dry run wrote something")
	}
	status, out, _ = w.runIn(t.Context(), "import", file, "--output", "json")
	var imported compose.Imported
	if err := json.Unmarshal([]byte(out), &imported); err != nil || status != ExitPartly || len(imported.Services) != 2 || imported.Services[0].File != app {
		t.Errorf("status %d, %v: %s", status, err, out)
	}
	if _, err := os.Stat(app); err != nil {
		t.Error(err)
	}
	status, _, errOut = w.runIn(t.Context(), "import", file)
	if status != ExitFailed || !strings.Contains(errOut, "there is already "+app) || !strings.Contains(errOut, "hint: --force") {
		t.Errorf("status %d, %s", status, errOut)
	}
}

func TestImportEndsWithZeroWhereAllWasCarriedOver(t *testing.T) {
	w := &world{t: t}
	file := composeIn(t, "services: {web: {image: 'team/web:3', ports: ['80:8000']}}\n")
	if status, out, errOut := w.runIn(t.Context(), "import", file); status != ExitDone || !strings.Contains(out, "fairlead deploy -f ") {
		t.Errorf("status %d, %s\n%s", status, errOut, out)
	}
	if status, _, errOut := w.runIn(t.Context(), "import"); status != ExitUsage || !strings.Contains(errOut, "import needs a compose file") {
		t.Errorf("without a file: status %d, %s", status, errOut)
	}
}
