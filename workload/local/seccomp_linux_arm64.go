package local

import "golang.org/x/sys/unix"

// auditArch is this architecture, which has no second set of call numbers.
const (
	auditArch        = unix.AUDIT_ARCH_AARCH64
	firstForeignCall = 0
)

func archDeniedCalls() []uint32 { return nil }
