//go:build linux && !amd64

package attack

const foreignExit = 42

// foreignProgram is none here: not every such machine runs programs of 32 bits.
func foreignProgram() []byte { return nil }
