//go:build linux

package local

// ShimPid returns the process of the shim whose home is dir.
func ShimPid(dir string) (int, error) {
	rec, err := readRecord[struct{}](home(dir))
	return rec.Shim.Pid, err
}

// LeaveOut makes the jobs of r run without protections, to show what happens then.
func (r *Runtime) LeaveOut(protections ...string) { r.without = protections }
