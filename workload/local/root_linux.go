package local

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/fairlead/fairlead/workload"
)

// Where things are inside.
const (
	appDir     = "/app"
	secretsDir = "/run/secrets"
)

// systemDirs are the parts of the machine that an instance sees, read-only.
func systemDirs() []string {
	return []string{"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"}
}

// enterRoot makes a root of its own for this process, which is in new mount, pid
// and user namespaces, and leaves the old one for good.
func enterRoot(s setup) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	if err := mountNew(s.Stage, "tmpfs", 0, "mode=0755,size=8m"); err != nil {
		return err
	}
	steps := []func(setup) error{bindSystem, bindArtifact, makeEtc, makeDev, makeProc, makeScratch, makeSecrets, bindDevices, bindVolumes}
	for _, step := range steps {
		if err := step(s); err != nil {
			return err
		}
	}
	if err := os.Chdir(s.Stage); err != nil {
		return err
	}
	// pivot_root(2): with both arguments the same directory the old root lies over
	// the new one, from where it is taken away.
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("pivot root: %w", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("leave the old root: %w", err)
	}
	if err := os.Chdir("/"); err != nil {
		return err
	}
	return restrictMount("/", 0, unix.MOUNT_ATTR_RDONLY|unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV)
}

// bindSystem shows the machine's programs and libraries.
func bindSystem(s setup) error {
	for _, dir := range systemDirs() {
		info, err := os.Lstat(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if info.Mode().Type() == fs.ModeSymlink {
			target, err := os.Readlink(dir)
			if err != nil {
				return err
			}
			if err := os.Symlink(target, s.Stage+dir); err != nil {
				return err
			}
			continue
		}
		if err := bind(dir, s.Stage+dir, unix.MOUNT_ATTR_RDONLY|unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV); err != nil {
			return err
		}
	}
	return nil
}

func bindArtifact(s setup) error {
	attributes := uint64(unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV)
	if s.Writable {
		attributes &^= unix.MOUNT_ATTR_RDONLY
	}
	return bind(s.Dir, s.Stage+appDir, attributes)
}

// makeEtc makes a minimal /etc: what programs need to find libraries, names and
// certificates, and nothing that tells of the machine's users.
func makeEtc(s setup) error {
	hosts := "127.0.0.1 localhost " + s.Name + "\n::1 localhost\n"
	for _, rule := range s.Reach {
		hosts += rule.At.String() + " " + rule.Host + "\n"
	}
	files := map[string]string{
		"passwd":        "root:x:0:0:root:/tmp:/usr/sbin/nologin\napp:x:1000:1000:app:/tmp:/usr/sbin/nologin\nnobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n",
		"group":         "root:x:0:\napp:x:1000:\nnogroup:x:65534:\n",
		"hosts":         hosts,
		"hostname":      s.Name + "\n",
		"resolv.conf":   "# names come from /etc/hosts\n",
		"nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\nservices: files\nprotocols: files\n",
	}
	for _, name := range []string{"ld.so.cache", "ld.so.conf", "localtime", "protocols", "services", "mime.types"} {
		if data, err := os.ReadFile("/etc/" + name); err == nil {
			files[name] = string(data)
		}
	}
	if err := os.MkdirAll(s.Stage+"/etc", 0o755); err != nil {
		return err
	}
	for name, content := range files {
		if err := os.WriteFile(s.Stage+"/etc/"+name, []byte(content), 0o644); err != nil {
			return err
		}
	}
	for _, dir := range []string{"/etc/ssl/certs", "/etc/ca-certificates", "/etc/pki/tls/certs", "/etc/pki/ca-trust/extracted", "/etc/alternatives"} {
		if info, err := os.Stat(dir); err != nil || !info.IsDir() {
			continue
		}
		if err := bind(dir, s.Stage+dir, unix.MOUNT_ATTR_RDONLY|unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV); err != nil {
			return err
		}
	}
	return nil
}

// makeDev shows the harmless devices.
func makeDev(s setup) error {
	dev := s.Stage + "/dev"
	if err := os.MkdirAll(dev, 0o755); err != nil {
		return err
	}
	for _, name := range devices() {
		file, err := os.Create(dev + "/" + name)
		if err != nil {
			return err
		}
		file.Close()
		if err := unix.Mount("/dev/"+name, dev+"/"+name, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("show /dev/%s: %w", name, err)
		}
	}
	for name, target := range map[string]string{"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2"} {
		if err := os.Symlink(target, dev+"/"+name); err != nil {
			return err
		}
	}
	return nil
}

func devices() []string { return []string{"null", "zero", "full", "random", "urandom"} }

// makeProc mounts the new pid namespace's /proc, without what tells of the
// machine and without other users' processes.
func makeProc(s setup) error {
	proc := s.Stage + "/proc"
	if len(s.Devices.Nodes) > 0 { // drivers tell of their devices in it
		if err := mountNew(proc, "proc", unix.MS_NOEXEC, "hidepid=invisible"); err == nil {
			return nil
		}
	}
	err := mountNew(proc, "proc", unix.MS_NOEXEC, "hidepid=invisible,subset=pid")
	if errors.Is(err, unix.EINVAL) { // before Linux 5.8
		err = mountNew(proc, "proc", unix.MS_NOEXEC, "hidepid=2")
	}
	return err
}

// makeScratch gives the app places to write: its temporary files and shared
// memory. Files without content take the kernel's memory too, so their number is
// limited as well.
func makeScratch(s setup) error {
	flags := uintptr(unix.MS_NOEXEC)
	if s.Writable { // a build runs what it writes
		flags = 0
	}
	root := s.Stage
	if err := mountNew(root+"/tmp", "tmpfs", flags, scratchOptions(s, s.tempSize())); err != nil {
		return err
	}
	return mountNew(root+"/dev/shm", "tmpfs", unix.MS_NOEXEC, scratchOptions(s, s.Shm))
}

func scratchOptions(s setup, size int64) string {
	if s.leavesOut(workload.ScratchLimit) {
		return "mode=1777"
	}
	return fmt.Sprintf("mode=1777,size=%d,nr_inodes=%d", size, size>>10)
}

// renewScratch throws away what the last run of the app left in its places to
// write: it would count to the next run's memory. In a pid namespace nothing of that
// run is alive.
func renewScratch(s setup) error {
	switch {
	case s.leavesOut(workload.MountNamespace):
		return nil
	case !s.Namespaces:
		return emptyDir(s.Stage)
	}
	for _, dir := range []string{"/tmp", "/dev/shm"} {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			return fmt.Errorf("renew %s: %w", dir, err)
		}
	}
	s.Stage = ""
	return makeScratch(s)
}

// emptyDir removes all that is in a directory.
func emptyDir(dir string) error {
	entries, err := os.ReadDir(dir)
	for _, entry := range entries {
		err = errors.Join(err, os.RemoveAll(filepath.Join(dir, entry.Name())))
	}
	return err
}

// makeSecrets delivers the secrets on a ramfs, whose pages are never swapped.
func makeSecrets(s setup) error {
	dir := s.Stage + secretsDir
	if err := mountNew(dir, "ramfs", unix.MS_NOEXEC, "mode=0700"); err != nil {
		return err
	}
	if err := writeSecrets(dir, s.Secrets, s.UID); err != nil {
		return err
	}
	return restrictMount(dir, 0, unix.MOUNT_ATTR_RDONLY)
}

// writeSecrets puts secrets into dir, readable by uid alone.
func writeSecrets(dir string, secrets map[string][]byte, uid int) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for name, value := range secrets {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, value, 0o400); err != nil {
			return err
		}
		if err := os.Chown(path, uid, uid); err != nil && uid != os.Getuid() {
			return err
		}
		clear(value)
	}
	if uid != os.Getuid() {
		if err := os.Chown(dir, uid, uid); err != nil {
			return err
		}
	}
	return os.Chmod(dir, 0o500)
}

// bind shows the directory from at to, with attributes for it and all below it.
func bind(from, to string, attributes uint64) error {
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	if err := unix.Mount(from, to, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("show %s: %w", from, err)
	}
	return restrictMount(to, unix.AT_RECURSIVE, attributes)
}

// restrictMount adds attributes to the mount at path; it never takes one away.
func restrictMount(path string, flags uint, attributes uint64) error {
	if err := unix.MountSetattr(-1, path, flags, &unix.MountAttr{Attr_set: attributes}); err != nil {
		return fmt.Errorf("restrict the mount %s: %w", path, err)
	}
	return nil
}

// mountNew mounts a new file system at path, which it makes.
func mountNew(path, kind string, flags uintptr, options string) error {
	if err := os.MkdirAll(path, 0o755); err != nil {
		return err
	}
	if err := unix.Mount(kind, path, kind, unix.MS_NOSUID|unix.MS_NODEV|flags, options); err != nil {
		return fmt.Errorf("mount %s (%s): %w", kind, strings.ReplaceAll(options, ",", " "), err)
	}
	return nil
}
