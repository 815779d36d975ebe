//go:build !linux

package doctor

// required is of no use here: containers run on Linux only.
func required(string) bool { return false }
