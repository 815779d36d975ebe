package fairlead_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/fairlead/fairlead"

// rank orders the top-level folders; a folder may import any folder of a lower
// rank. Domains are not listed: they all have rank 0, so none may import another.
var rank = map[string]int{
	"internal": -1,
	"store":    1, "kube": 1, "api": 1, "console": 1, "cli": 1,
	"server": 2, "tour": 2,
	"cmd": 3, "sim": 3, "bench": 3,
}

// edges lists every other import allowed between folders, and why.
// Each new line is a design decision: add it in its own commit.
var edges = map[string]string{
	"readiness -> workload":                                  "a gate is a job of the runtime's contract",
	"rollout -> ledger":                                      "a decision's entry commits to its inputs in the ledger's form",
	"rollout -> gateway":                                     "snapshots are how a rollout shifts traffic",
	"rollout -> workload":                                    "instances are what a rollout starts and stops",
	"workload/local -> workload/shim":                        "a sandbox is a kind of body that a shim keeps",
	"workload/local -> workload/reach":                       "a sandbox reaches out only by rule",
	"workload/container -> workload/shim":                    "a container is a kind of body that a shim keeps",
	"workload/container -> workload/reach":                   "a container reaches out only by rule",
	"workload/container/testshim -> workload/shim":           "a shim for tests",
	"workload/shim -> workload/reach":                        "what an instance may reach is checked before it starts",
	"workload/local/doctor -> workload/shim":                 "an attacker is a job under a shim",
	"workload/container/doctor -> workload/shim":             "a probe is an instance under a shim",
	"workload/local/doctor/attack/testshim -> workload/shim": "a shim for tests",
	"console -> api":                                         "pages show what the API answers, through its own client",
	"cli -> api":                                             "the command line speaks through the API's own client",
	"internal/atomicfile -> internal/disk":                   "an atomic file is on a disk, which may be a simulated one",
	"internal/dialpass -> internal/unixsock":                 "both are plumbing of long socket paths",
	"sim/corpus/validity -> sim/corpus/live":                 "the promises are checked on the live path as the corpus drives it",
	"internal/keyfile -> internal/atomicfile":                "a key is made durably, once",
}

// confined lists third-party trees and the only folder that may import them.
var confined = map[string]string{
	"k8s.io/":                         "kube",
	"sigs.k8s.io/controller-runtime/": "kube",
	"sigs.k8s.io/gateway-api/":        "kube",
	"modernc.org/":                    "store/sqlite",
	"github.com/moby/":                "workload/container",
	"github.com/containerd/":          "workload/container",
	"github.com/compose-spec/":        "app/compose",
	"github.com/sirupsen/":            "app/compose",
}

func TestArchitecture(t *testing.T) {
	used := map[string]bool{}
	err := filepath.WalkDir(".", func(file string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && file != "." && exists(filepath.Join(file, "go.mod")) {
			return filepath.SkipDir // a module of its own
		}
		if err != nil || d.IsDir() || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		pkg := path.Dir(filepath.ToSlash(file))
		for _, spec := range f.Imports {
			imp, _ := strconv.Unquote(spec.Path.Value)
			for tree, only := range confined {
				if strings.HasPrefix(imp, tree) && !under(pkg, only) {
					t.Errorf("%s imports %s: only %s may", file, imp, only)
				}
			}
			rel, ours := strings.CutPrefix(imp, module+"/")
			if ours && pkg == "." {
				t.Errorf("%s imports %s: the root package imports nothing of ours", file, imp)
			}
			if !ours || under(pkg, rel) || under(rel, pkg) || rank[top(pkg)] > rank[top(rel)] {
				continue // third party, parent, child, or a lower rank
			}
			if f.Name.Name == "main" && path.Dir(pkg) == path.Dir(rel) {
				continue // a command wires its neighbours
			}
			edge := top(pkg) + " -> " + top(rel)
			if top(pkg) == top(rel) {
				edge = pkg + " -> " + rel // two adapters of one domain
			}
			used[edge] = true
			if edges[edge] == "" {
				t.Errorf("%s: import %s is not in edges", file, edge)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for edge := range edges {
		if !used[edge] {
			t.Errorf("edges allows %s but nothing uses it: delete the line", edge)
		}
	}
}

func exists(file string) bool { _, err := os.Stat(file); return err == nil }

func under(p, q string) bool { return p == q || strings.HasPrefix(p, q+"/") }

func top(p string) string { t, _, _ := strings.Cut(p, "/"); return t }
