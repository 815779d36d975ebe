package server

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/fairlead/fairlead"
)

// owned refuses a state directory whose ledger is another user's: what this user
// wrote there, its owner could not read any more. One without a ledger is everyone's.
func (s *control) owned(op string) error {
	info, err := os.Stat(filepath.Join(s.State, "fairlead.db"))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil
	}
	if err != nil {
		return fairlead.Errorf(fairlead.Forbidden, "open state directory "+s.State, "%w", err).
			WithHint("run it as the user who owns the directory, or name another with --state")
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && int(stat.Uid) != os.Geteuid() {
		owner := userName(int(stat.Uid))
		return fairlead.Errorf(fairlead.Forbidden, "open state directory "+s.State, "it is %s's, and this is %s", owner, userName(os.Geteuid())).
			WithHint("run it as that user: sudo -u %s fairlead %s", owner, op)
	}
	return nil
}
