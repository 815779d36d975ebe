package container

import (
	"bufio"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// enginesPath is the file that lists, a line each, the engines in which an installation
// ever had anything, each time it went to another one.
func enginesPath(root string) string { return filepath.Join(root, "engines") }

// Remember notes, for the installation over root, that this engine is used from now on.
// It is called before anything is made in it.
func (e *Engine) Remember(root string) error { return rememberEngine(root, e.Host) }

func rememberEngine(root, host string) error {
	if last, err := LastEngine(root); err != nil || last == host {
		return err
	}
	file, err := os.OpenFile(enginesPath(root), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	_, err = file.WriteString(host + "\n")
	return errors.Join(err, file.Sync(), file.Close())
}

// LastEngine returns where the engine listens that the installation over root went to
// last, or nothing where it never had one.
func LastEngine(root string) (host string, err error) {
	hosts, err := engineChanges(root)
	if len(hosts) > 0 {
		host = hosts[len(hosts)-1]
	}
	return host, err
}

// engineChanges are the engines in the order in which they were gone to, some more than
// once.
func engineChanges(root string) ([]string, error) {
	file, err := os.Open(enginesPath(root))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var hosts []string
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if host := strings.TrimSpace(lines.Text()); host != "" {
			hosts = append(hosts, host)
		}
	}
	return hosts, lines.Err()
}

// rememberedEngines are all engines in which the installation ever had anything.
func rememberedEngines(root string) ([]string, error) {
	hosts, err := engineChanges(root)
	slices.Sort(hosts)
	return slices.Compact(hosts), err
}
