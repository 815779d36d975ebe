package gateway

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// A frame is a length, a CRC-32C of the payload (both four bytes, big-endian) and
// the payload. Journal and spool are files of frames; an append that a crash cut
// short leaves a torn last frame, which readers leave out.

const (
	frameHead = 8
	frameMost = 16 << 20 // bytes of a payload
)

var errTorn = errors.New("torn frame")

// appendFrame appends payload as a frame to data.
func appendFrame(data, payload []byte) []byte {
	data = binary.BigEndian.AppendUint32(data, uint32(len(payload)))
	data = binary.BigEndian.AppendUint32(data, crc32.Checksum(payload, crc32.MakeTable(crc32.Castagnoli)))
	return append(data, payload...)
}

// readFrame reads the frame at offset. It returns io.EOF where the file ends and
// errTorn where no whole frame is.
func readFrame(file io.ReaderAt, offset int64) ([]byte, error) {
	var head [frameHead]byte
	n, err := file.ReadAt(head[:], offset)
	if n == 0 && errors.Is(err, io.EOF) {
		return nil, io.EOF
	}
	if n < frameHead {
		return nil, errTorn
	}
	length := binary.BigEndian.Uint32(head[:])
	if length == 0 || length > frameMost { // zeroes are where a crash lost what was written
		return nil, errTorn
	}
	payload, err := io.ReadAll(io.NewSectionReader(file, offset+frameHead, int64(length)))
	if err != nil {
		return nil, fmt.Errorf("read frame: %w", err)
	}
	if len(payload) < int(length) || crc32.Checksum(payload, crc32.MakeTable(crc32.Castagnoli)) != binary.BigEndian.Uint32(head[4:]) {
		return nil, errTorn
	}
	return payload, nil
}

// scanFrames calls f with each whole frame and its offset, and returns the length
// of the whole frames before the end or a torn one.
func scanFrames(file io.ReaderAt, f func(offset int64, payload []byte) error) (int64, error) {
	var offset int64
	for {
		payload, err := readFrame(file, offset)
		if errors.Is(err, io.EOF) || errors.Is(err, errTorn) {
			return offset, nil
		}
		if err != nil {
			return offset, err
		}
		if err := f(offset, payload); err != nil {
			return offset, err
		}
		offset += frameHead + int64(len(payload))
	}
}
