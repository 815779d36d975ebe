package device

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// Limits of what is read: sysfs has small files, a CDI specification names hundreds of
// libraries at most, and no machine has more GPUs than this.
const (
	mostValue   = 64 << 10
	mostSpec    = 1 << 20
	mostEntries = 4096
	mostDevices = 64
)

// tree is a machine's files as discovery reads them: nothing outside of its root, only
// plain files, and never more than a limit.
type tree struct{ root *os.Root }

// openTree opens the files below dir, "" for the machine's own.
func openTree(dir string) (tree, error) {
	if dir == "" {
		dir = "/"
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return tree{}, fmt.Errorf("look for devices: %w", err)
	}
	return tree{root}, nil
}

func (t tree) close() { _ = t.root.Close() } // it was only read from

// read returns a plain file's content, at most limit bytes.
func (t tree) read(name string, limit int64) ([]byte, error) {
	file, err := t.root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a plain file", name)
	}
	data, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("%s is larger than %d bytes", name, limit)
	}
	return data, err
}

// text returns a file of one value, or "" where there is none.
func (t tree) text(name ...string) string {
	data, err := t.read(path.Join(name...), mostValue)
	if err != nil {
		return ""
	}
	return plain(string(data))
}

// amount returns a file that holds a whole number of at least 0.
func (t tree) amount(name ...string) (int64, bool) {
	n, err := strconv.ParseInt(t.text(name...), 10, 64)
	return n, err == nil && n >= 0
}

// list returns the names in a directory, sorted; none where there is no directory.
func (t tree) list(dir string) ([]string, error) {
	file, err := t.root.OpenFile(dir, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	names, err := file.Readdirnames(mostEntries)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	slices.Sort(names)
	return names, nil
}

// isNode reports whether a path, itself no link, is a device file.
func (t tree) isNode(name string) bool {
	info, err := t.root.Lstat(strings.TrimPrefix(name, "/"))
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// isContent reports whether a path names a plain file, or a directory below one of the
// top, where a vendor's libraries and their data are: never a socket, never most of the
// machine, and nothing of its users, its configuration or its services.
func (t tree) isContent(name string) bool {
	if !ofVendor.MatchString(name) {
		return false
	}
	name = strings.TrimPrefix(name, "/")
	info, err := t.root.Stat(name)
	return err == nil && (info.Mode().IsRegular() || info.IsDir() && strings.Count(name, "/") >= 2)
}

// ofVendor are the places of programs and libraries, and elsewhere what bears a name of
// the vendors' own.
var ofVendor = regexp.MustCompile(`^/(usr|lib|lib32|lib64|opt|snap|nix)/|/(nvidia|amdgpu|rocm|vulkan|OpenCL|glvnd|egl)`)

// linkName returns the last part of what a link names, such as a driver's name.
func (t tree) linkName(name string) string {
	target, err := t.root.Readlink(name)
	if err != nil {
		return ""
	}
	return path.Base(target)
}

// plain makes a value of the machine fit to be shown: one line of printable text of at
// most 120 bytes.
func plain(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '\uFFFD' || !strconv.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, " "))
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > 120 {
		s = strings.ToValidUTF8(s[:120], "")
	}
	return s
}
