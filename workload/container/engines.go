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
// ever made anything.
func enginesPath(root string) string { return filepath.Join(root, "engines") }

// rememberEngine notes an engine before anything is made in it.
func rememberEngine(root, host string) error {
	known, err := rememberedEngines(root)
	if err != nil || slices.Contains(known, host) {
		return err
	}
	file, err := os.OpenFile(enginesPath(root), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	_, err = file.WriteString(host + "\n")
	return errors.Join(err, file.Sync(), file.Close())
}

func rememberedEngines(root string) ([]string, error) {
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
		if host := strings.TrimSpace(lines.Text()); host != "" && !slices.Contains(hosts, host) {
			hosts = append(hosts, host)
		}
	}
	return hosts, lines.Err()
}
