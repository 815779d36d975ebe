package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/internal/disk"
)

const (
	spoolMost    = 64 << 20
	segmentMost  = 4 << 20
	segmentClean = 256 << 10 // an acknowledged segment of this size is replaced
	spoolSuffix  = ".blocks"
)

// spool keeps blocks on disk until they are acknowledged. Each boot appends to
// segments of its own, named so that they sort by age; a segment goes when all its
// blocks are acknowledged. Beyond its limit the oldest segment is dropped, which
// leaves a gap in the blocks' numbers.
//
// Blocks are in the operating system's hands when add returns, so they survive
// the death of the process. They are not synced: a block that a loss of power
// takes is one that no one was promised, and shows as a boot without its final
// block. It is safe for concurrent use.
type spool struct {
	disk        disk.Disk
	dir, prefix string
	limit       int64

	mu       sync.Mutex
	segments []*segment // oldest first; the last one is appended to, if file is open
	file     disk.File  // of the last segment, or nil
	made     int        // segments of this boot
	size     int64
	changed  chan struct{} // closed and replaced with each append
}

type segment struct {
	path    string
	size    int64
	records []record
	unacked int
}

type record struct {
	Ack
	offset int64
	acked  bool
}

// openSpool opens the spool in dir. prefix names this boot's segments and sorts
// after those of earlier boots.
func openSpool(d disk.Disk, dir, prefix string, limit int64) (*spool, error) {
	if err := d.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	s := &spool{disk: d, dir: dir, prefix: prefix, limit: limit, changed: make(chan struct{})}
	names, err := d.List(dir)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if !strings.HasSuffix(name, spoolSuffix) {
			continue
		}
		seg, err := s.readSegment(filepath.Join(dir, name))
		if err != nil {
			return nil, fmt.Errorf("read spool %s: %w", name, err)
		}
		if seg.unacked == 0 {
			if err := s.removeFile(seg.path); err != nil {
				return nil, err
			}
			continue
		}
		s.segments = append(s.segments, seg)
		s.size += seg.size
	}
	return s, nil
}

// readSegment indexes a segment's whole blocks.
func (s *spool) readSegment(path string) (*segment, error) {
	file, err := s.disk.Open(path, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	seg := &segment{path: path}
	seg.size, err = scanFrames(file, func(offset int64, payload []byte) error {
		var key Ack
		if json.Unmarshal(payload, &key) != nil || key.Seq == 0 {
			return nil // not a block: a gap
		}
		seg.records = append(seg.records, record{Ack: key, offset: offset})
		seg.unacked++
		return nil
	})
	return seg, err
}

// add appends a block. It returns how many blocks that were not acknowledged it
// dropped to stay within the limit.
func (s *spool) add(b fairlead.Block) (dropped int, err error) {
	payload, err := json.Marshal(b)
	if err != nil {
		return 0, fmt.Errorf("spool: %w", err)
	}
	frame := appendFrame(nil, payload)
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.segments) > 0 && s.size+int64(len(frame)) > s.limit {
		n, err := s.drop(0)
		dropped += n
		if err != nil {
			return dropped, fmt.Errorf("spool: %w", err)
		}
	}
	seg, err := s.segment(int64(len(frame)))
	if err != nil {
		return dropped, fmt.Errorf("spool: %w", err)
	}
	if _, err := s.file.WriteAt(frame, seg.size); err != nil {
		return dropped, fmt.Errorf("spool: %w", err)
	}
	seg.records = append(seg.records, record{Ack: Ack{Gateway: b.Gateway, Site: b.Site, Seq: b.Seq}, offset: seg.size})
	seg.unacked++
	seg.size += int64(len(frame))
	s.size += int64(len(frame))
	close(s.changed)
	s.changed = make(chan struct{})
	return dropped, nil
}

// segment returns the one to append to, a new one where the last has no room. It
// needs the lock.
func (s *spool) segment(room int64) (*segment, error) {
	if s.file != nil {
		last := s.segments[len(s.segments)-1]
		if last.size+room <= min(segmentMost, s.limit/4) {
			return last, nil
		}
		if err := s.closeFile(); err != nil {
			return nil, err
		}
	}
	s.made++
	seg := &segment{path: filepath.Join(s.dir, fmt.Sprintf("%s-%06d%s", s.prefix, s.made, spoolSuffix))}
	file, err := s.disk.Open(seg.path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	s.file = file
	s.segments = append(s.segments, seg)
	return seg, nil
}

func (s *spool) closeFile() error {
	if s.file == nil {
		return nil
	}
	err := s.file.Close()
	s.file = nil
	return err
}

// drop removes segment i and returns how many of its blocks were not
// acknowledged. It needs the lock.
func (s *spool) drop(i int) (int, error) {
	seg := s.segments[i]
	var err error
	if i == len(s.segments)-1 {
		err = s.closeFile()
	}
	s.segments = slices.Delete(s.segments, i, i+1)
	s.size -= seg.size
	return seg.unacked, errors.Join(err, s.removeFile(seg.path))
}

// ack marks blocks as stored elsewhere and removes segments without others.
func (s *spool) ack(acks []Ack) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var failed error
	for i := len(s.segments) - 1; i >= 0; i-- {
		seg := s.segments[i]
		seg.ack(acks)
		appending := s.file != nil && i == len(s.segments)-1
		if seg.unacked == 0 && (!appending || seg.size >= segmentClean) {
			_, err := s.drop(i)
			failed = errors.Join(failed, err)
		}
	}
	return failed
}

func (g *segment) ack(acks []Ack) {
	for i := range g.records {
		r := &g.records[i]
		if !r.acked && slices.ContainsFunc(acks, func(a Ack) bool {
			return a.Gateway == r.Gateway && a.Site == r.Site && a.Seq >= r.Seq
		}) {
			r.acked = true
			g.unacked--
		}
	}
}

// read returns the JSON of the oldest blocks that are not acknowledged: at most
// limit, and no more once they have mostBytes. changed is closed when there may
// be more.
func (s *spool) read(limit int, mostBytes int) (blocks []json.RawMessage, changed <-chan struct{}, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	total := 0
	for _, seg := range s.segments {
		if seg.unacked == 0 {
			continue
		}
		file, err := s.disk.Open(seg.path, os.O_RDONLY, 0)
		if err != nil {
			return nil, nil, err
		}
		for i := range seg.records {
			r := &seg.records[i]
			if r.acked || len(blocks) >= limit || total >= mostBytes {
				continue
			}
			payload, err := readFrame(file, r.offset)
			if errors.Is(err, errTorn) || errors.Is(err, io.EOF) { // the disk lost it: a gap
				r.acked = true
				seg.unacked--
				continue
			}
			if err != nil {
				return nil, nil, errors.Join(fmt.Errorf("read spool %s at %d: %w", seg.path, r.offset, err), file.Close())
			}
			blocks = append(blocks, payload)
			total += len(payload)
		}
		if err := file.Close(); err != nil {
			return nil, nil, err
		}
	}
	return blocks, s.changed, nil
}

// waiting returns the size of the spool, and how many blocks are not acknowledged.
func (s *spool) waiting() (bytes int64, blocks int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, seg := range s.segments {
		blocks += seg.unacked
	}
	return s.size, blocks
}

func (s *spool) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closeFile()
}

// spoolPrefix names a boot's segments so that they sort by the boot's start.
func spoolPrefix(startNanos int64, boot string) string {
	return fmt.Sprintf("%020d-%s", startNanos, strings.ReplaceAll(boot, "/", "_"))
}

// removeFile removes path if it is there.
func (s *spool) removeFile(path string) error {
	if err := s.disk.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
