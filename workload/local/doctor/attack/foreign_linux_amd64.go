package attack

import "encoding/binary"

// foreignExit is the exit status of the foreign program where it is let run.
const foreignExit = 42

// foreignProgram returns a program of the 32-bit architecture of this machine, whose
// system calls have other numbers than the filter knows: it asks for its pid and
// exits.
func foreignProgram() []byte {
	const base, headers = 0x0804_8000, 52 + 32
	code := []byte{
		0xb8, 20, 0, 0, 0, 0xcd, 0x80, // getpid
		0xbb, foreignExit, 0, 0, 0, 0xb8, 1, 0, 0, 0, 0xcd, 0x80, // exit
	}
	file := []byte{0x7f, 'E', 'L', 'F', 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0}
	half := func(values ...uint16) {
		for _, v := range values {
			file = binary.LittleEndian.AppendUint16(file, v)
		}
	}
	word := func(values ...uint32) {
		for _, v := range values {
			file = binary.LittleEndian.AppendUint32(file, v)
		}
	}
	half(2 /* executable */, 3 /* 386 */)
	word(1, base+headers /* entry */, 52 /* program headers */, 0, 0)
	half(52, 32, 1, 0, 0, 0)
	size := uint32(headers + len(code))
	word(1 /* load */, 0, base, base, size, size, 5 /* read, execute */, 0x1000)
	return append(file, code...)
}
