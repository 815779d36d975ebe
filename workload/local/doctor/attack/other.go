//go:build !linux

package attack

// Main attacks nothing: there is no sandbox here.
func Main([]string) int { return 1 }
