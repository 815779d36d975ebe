package e2e

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestACallThatCannotBeDoneSaysWhyAndWhatToDoInstead(t *testing.T) {
	t.Parallel()
	w := start(t)
	v1 := w.lay(behaviour{Version: "v1"}, appFile{})
	says := func(code int, args string, words ...string) {
		t.Helper()
		w.says(w.refused(code, strings.Fields(args)...), words...)
	}
	says(1, "rollback "+w.named, "not_found", "there is no app")
	w.must("deploy", "-f", v1, "--wait")
	before := w.must("events", "--from", "0")

	says(1, "rollback "+w.named, "conflict", "no release was live there before", "fairlead releases "+w.named)
	says(1, "rollback "+w.named+" --env moon", "not_found", "nothing was deployed there", "fairlead status")
	says(1, "pause "+w.named, "conflict", "no rollout is moving there", "fairlead status")
	says(1, "abort "+w.named, "conflict", "no rollout is moving there")
	says(1, "deploy -f "+v1+" --env moon", "moon", "production")
	says(1, "promote "+w.named+"@9 --to production", "not_found", "fairlead releases")
	says(1, "promote "+w.named+"@1 --to moon", "moon", "production")
	says(1, "explain "+w.named+" --env moon", "not_found", "fairlead status")
	says(1, "logs "+w.named+" --env moon", "not_found", "fairlead status")
	says(1, "logs "+w.named+" --instance moon", "not_found", "fairlead status")
	says(1, "secret rotate nothing --env production --file "+v1, "not_found", "fairlead secret set nothing --env production")
	says(1, "secret set a/b --env production --file "+v1, "invalid", "cannot name a secret")
	says(1, "secret set a --env production --file "+filepath.Join(w.dir, "none"), "not_found", "there is no file")
	says(6, "status --state "+filepath.Join(w.dir, "none"), "no Fairlead server answers", "fairlead up")
	says(1, "ledger verify --state "+filepath.Join(w.dir, "none"), "not_found", "fairlead.db", "fairlead up")
	says(5, "status --server http://"+w.plane.at.API, "unauthorized", "--token-file")
	if after := w.must("events", "--from", "0"); after != before {
		t.Errorf("something came of it: %s", strings.TrimPrefix(after, before))
	}

	w.begin(behaviour{Version: "v2", Unready: true}, appFile{})
	says(1, "deploy -f "+w.lay(behaviour{Version: "v3"}, appFile{}), "conflict", "is on its way", "fairlead abort "+w.named+" --env production")
	w.must("abort", w.named, "--wait")
}
