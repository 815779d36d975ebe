package local

import "golang.org/x/sys/unix"

// auditArch is this architecture; calls from firstForeignCall on are those of x32.
const (
	auditArch        = unix.AUDIT_ARCH_X86_64
	firstForeignCall = 0x40000000
)

func archDeniedCalls() []uint32 {
	return []uint32{unix.SYS_IOPL, unix.SYS_IOPERM, unix.SYS_MODIFY_LDT, unix.SYS_USELIB, unix.SYS_USTAT, unix.SYS_SYSFS, unix.SYS__SYSCTL, unix.SYS_CREATE_MODULE, unix.SYS_GET_KERNEL_SYMS, unix.SYS_QUERY_MODULE}
}
