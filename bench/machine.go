package main

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// machine is what the figures were measured on.
type machine struct {
	Time      time.Time `json:"time"`
	CPU       string    `json:"cpu"`
	Cores     int       `json:"cores"`
	Kernel    string    `json:"kernel"`
	Go        string    `json:"go"`
	Load      string    `json:"load"`      // averages over 1, 5 and 15 minutes
	Fdatasync []float64 `json:"fdatasync"` // milliseconds
}

func describeMachine(l *lab) (machine, error) {
	m := machine{Time: time.Now().UTC(), CPU: cpuName(), Cores: runtime.NumCPU(), Go: runtime.Version(), Load: firstFields("/proc/loadavg", 3)}
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return m, err
	}
	m.Kernel = unix.ByteSliceToString(name.Release[:])
	var err error
	m.Fdatasync, err = timeFdatasync(l.temp, 200)
	return m, err
}

func firstFields(file string, n int) string {
	data, _ := os.ReadFile(file) // what is missing stays empty in the table
	fields := strings.Fields(string(data))
	return strings.Join(fields[:min(n, len(fields))], " ")
}

func cpuName() string {
	data, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(data)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

// timeFdatasync appends n pages of 4 KiB to a file in dir and times making each
// durable, in milliseconds: what the ledger pays for a commit.
func timeFdatasync(dir string, n int) ([]float64, error) {
	f, err := os.Create(filepath.Join(dir, "fdatasync"))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	page := make([]byte, 4096)
	var took []float64
	for i := range n {
		began := time.Now()
		if _, err := f.WriteAt(page, int64(i)*4096); err != nil {
			return nil, err
		}
		if err := unix.Fdatasync(int(f.Fd())); err != nil {
			return nil, err
		}
		took = append(took, milliseconds(time.Since(began)))
	}
	return took, nil
}
