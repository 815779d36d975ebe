package release

import (
	"context"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/fairlead/fairlead"
)

// The bounds of the texts of a difference. They bound its size and its time: 2^24 steps
// take about a tenth of a second.
const (
	maxText  = 256 << 10 // bytes of a text that is read
	maxTexts = 4 << 20   // bytes of all texts that are read
	maxLine  = 8 << 10   // bytes of a line that changed, or stands by one that did
	maxDiff  = 64 << 10  // bytes of a text's diff
	maxDiffs = 512 << 10 // bytes of all diffs
	maxWork  = 1 << 24   // steps of all comparisons
)

// Read returns the content of a file of at most limit bytes.
type Read func(ctx context.Context, digest fairlead.Digest, limit int64) ([]byte, error)

// Texts fills in the diffs of the files that are text, and says of each other file why
// it has none. Its bounds are kept by leaving out diffs: prompts and configuration come
// before the rest.
func Texts(ctx context.Context, d *Difference, read Read) error {
	t := texts{read: read, bytes: maxTexts, diffs: maxDiffs, work: maxWork}
	for _, part := range []string{PartPrompt, PartConfig, PartModel, PartArtifact} {
		for i := range d.Parts {
			if d.Parts[i].Part != part {
				continue
			}
			for j := range d.Parts[i].Files {
				if err := t.fill(ctx, part, &d.Parts[i].Files[j]); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// texts compares texts as far as its bounds allow.
type texts struct {
	read         Read
	bytes, diffs int // that are left
	work         int
}

func (t *texts) fill(ctx context.Context, part string, f *FileChange) error {
	switch {
	case f.Change == Renamed || f.Before == f.After:
		return nil // its content is the same
	case part == PartModel:
		f.NoDiff = "a model is compared by its digest"
		return nil
	case max(f.Bytes[0], f.Bytes[1]) > maxText:
		f.NoDiff = tooLarge()
		return nil
	case f.Bytes[0]+f.Bytes[1] > int64(t.bytes) || t.diffs <= 0 || t.work <= 0:
		f.NoDiff = "too much text changed with it"
		return nil
	}
	t.bytes -= int(f.Bytes[0] + f.Bytes[1])
	before, err := t.text(ctx, f.Before, f.Bytes[0])
	if err != nil {
		return fmt.Errorf("read %q as it was: %w", f.Path, err)
	}
	after, err := t.text(ctx, f.After, f.Bytes[1])
	if err != nil {
		return fmt.Errorf("read %q: %w", f.Path, err)
	}
	t.compare(f, before, after)
	return nil
}

func tooLarge() string { return fmt.Sprintf("it is larger than %d KiB", maxText>>10) }

func (t *texts) text(ctx context.Context, digest fairlead.Digest, size int64) (string, error) {
	if digest == "" {
		return "", nil
	}
	data, err := t.read(ctx, digest, size)
	return string(data), err
}

func (t *texts) compare(f *FileChange, before, after string) {
	if !IsText(before) || !IsText(after) {
		f.NoDiff = "it is not text"
		return
	}
	var long bool
	f.Diff, f.Cut, long = unified(before, after, min(maxDiff, t.diffs), &t.work)
	if long {
		f.NoDiff = fmt.Sprintf("it has a line of more than %d KiB", maxLine>>10)
	}
	t.diffs -= len(f.Diff)
}

// IsText reports whether a file's content is text: UTF-8 without a NUL.
func IsText(content string) bool {
	return utf8.ValidString(content) && !strings.Contains(content, "\x00")
}
