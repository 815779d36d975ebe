package disk

import (
	"errors"
	"syscall"
)

// FullHint is what to do about an error that Full reports.
const FullHint = "make room on the disk and try again; nothing is half done"

// Full reports whether an error comes of a disk, or a user's share of it, that is full.
func Full(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}
