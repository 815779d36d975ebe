package container

import (
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"testing"
)

func TestAProgramForAnotherMachineIsToldAsOne(t *testing.T) {
	if says := unrunnable(fmt.Errorf("fork/exec /app: %w", syscall.ENOEXEC)); !strings.Contains(says, "another kind of machine") {
		t.Error(says)
	}
	if says := unrunnable(fs.ErrPermission); strings.Contains(says, "machine") {
		t.Error(says)
	}
}
