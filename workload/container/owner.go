package container

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/internal/atomicfile"
)

var ownerForm = regexp.MustCompile(`^[0-9a-f]{32}$`)

// Owner returns the id of the installation whose runtime keeps its state in root. It
// is made once, by chance, and is in the labels of all that the installation makes
// in an engine. One that cannot be read is code corrupt: with a new one, what was
// made before would be nobody's.
func Owner(root string) (string, error) {
	path := filepath.Join(root, "owner")
	id, err := readOwner(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return id, err
	}
	var random [16]byte
	rand.Read(random[:]) // never fails
	if err := atomicfile.Create(path, []byte(hex.EncodeToString(random[:])+"\n"), 0o600); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	return readOwner(path) // of two that make one, the first wins
}

func readOwner(path string) (string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	id := strings.TrimSpace(string(data))
	if !ownerForm.MatchString(id) {
		return "", fairlead.Errorf(fairlead.Corrupt, "read whose containers these are", "%s holds no owner's id", path).
			WithHint("put it back from a backup, or remove this installation's containers by hand and then the file")
	}
	return id, nil
}

// rootOf is the runtime's directory of a home in it, which is ROOT/KIND/ID.
func rootOf(home string) string { return filepath.Dir(filepath.Dir(home)) }
