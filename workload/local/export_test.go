//go:build linux

package local

// ShimPid returns the process of the shim whose home is dir.
func ShimPid(dir string) (int, error) {
	rec, err := readRecord[struct{}](home(dir))
	return rec.Shim.Pid, err
}
