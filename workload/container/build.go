package container

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"regexp"
	"strings"
	"time"

	"github.com/moby/moby/api/types/jsonstream"

	"github.com/moby/moby/client"

	"github.com/fairlead/fairlead"
)

// Build is an order to build an image from a Dockerfile.
type Build struct {
	Context    io.Reader               // a tar stream
	Dockerfile string                  // its path in the context
	Arguments  map[string]string       // values of its ARGs, which the image keeps
	Target     string                  // stage that is built; nothing for the last
	Outlet     *Outlet                 // how commands of the file reach the outside; nil for not at all
	Within     time.Duration           // longest that it may take
	Memory     int64                   // most bytes that one of its commands may take; 0 for half of what the machine has
	Tell       func(fairlead.Progress) // hears how far it is
}

const buildOp = "build the image"

// maxLog is the most bytes of a build's log that are kept, from its end.
const maxLog = 4 << 20

// Build builds an image and returns its id and the build's log; the log also where
// it fails. Its bases must be there: none is pulled.
//
// Errors: invalid where the file or one of its commands fails, and where it takes too
// long; unavailable where the engine cannot build.
func (e *Engine) Build(ctx context.Context, b Build) (id fairlead.Digest, log []byte, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, b.Within, errTooLong)
	defer cancel()
	if b.Memory == 0 {
		if b.Memory, err = halfOfMemory(ctx, e); err != nil {
			return "", nil, b.failed(ctx, e, err)
		}
	}
	var out *outlet
	if b.Outlet != nil {
		if out, err = b.Outlet.open(ctx, e); err != nil {
			return "", nil, e.failed(buildOp, err)
		}
		defer func() { err = errors.Join(err, out.close()) }()
	}
	answer, err := b.start(ctx, e, out.reach(e.Podman()))
	if err != nil {
		return "", nil, b.failed(ctx, e, err)
	}
	defer answer.Close()
	stop := context.AfterFunc(ctx, func() { _ = answer.Close() })
	defer stop()
	id, log, err = b.follow(ctx, e, answer)
	if out != nil {
		log = append(log, out.told()...)
	}
	log = []byte(onScreen(string(log)))
	if err != nil {
		return "", log, b.failed(ctx, e, err)
	}
	return id, log, nil
}

// follow reads what an engine says of a build, to its end.
func (b Build) follow(ctx context.Context, e *Engine, answer io.Reader) (id fairlead.Digest, log []byte, err error) {
	var said buildLog
	err = messages(answer, func(m jsonstream.Message) error {
		if m.Aux != nil {
			var aux struct{ ID string }
			if json.Unmarshal(*m.Aux, &aux) == nil && aux.ID != "" {
				id = digestOf(aux.ID)
			}
		}
		said.add(m.Stream)
		if line := said.step(); line != "" && b.Tell != nil {
			b.Tell(fairlead.Progress{Doing: "building the image", Detail: onScreen(line)})
		}
		return nil
	})
	if err == nil && !id.Valid() {
		id, err = said.built(ctx, e)
	}
	if err != nil {
		said.add(err.Error() + "\n")
	}
	return id, said.text, err
}

// buildShares is the weight of a build's commands for the processors, of 1024 that
// each instance has: what serves goes first.
const buildShares = 128

// halfOfMemory returns half of the bytes that the engine's machine has.
func halfOfMemory(ctx context.Context, e *Engine) (int64, error) {
	info, err := e.api.Info(ctx, client.InfoOptions{})
	return info.Info.MemTotal / 2, err
}

// buildItYourself is what to do about a Dockerfile that is for BuildKit alone.
const buildItYourself = "build it yourself, with docker buildx build, and name the image under spec.artifact.image, or save it and name the file under spec.artifact.archive"

var errTooLong = errors.New("it did not end in its time")

// failed puts a build that failed in words.
func (b Build) failed(ctx context.Context, e *Engine, err error) error {
	text := err.Error()
	switch {
	case errors.Is(context.Cause(ctx), errTooLong):
		return fairlead.Errorf(fairlead.Invalid, buildOp, "%w", errTooLong).WithHint("see in its log what takes so long, and put it into a base image")
	case ctx.Err() != nil:
		return ctx.Err()
	case away(err):
		return e.failed(buildOp, err)
	case strings.Contains(text, "no space left on device"):
		return fairlead.Errorf(fairlead.Unavailable, buildOp, "the engine's disk is full: %w", said{err}).WithHint(fullHint)
	case strings.Contains(text, "requires BuildKit"), strings.Contains(text, "--mount"):
		return fairlead.Errorf(fairlead.Unsupported, buildOp, "%w", said{err}).
			WithHint(buildItYourself)
	}
	hint := "try it: DOCKER_BUILDKIT=0 docker build, or podman build, with the same file and context"
	if text = strings.ToLower(text); strings.Contains(text, "unknown instruction") || strings.Contains(text, "unknown flag") || strings.Contains(text, "<<") {
		hint = "it is read without BuildKit, so that here-documents (<<EOF) and some flags are unknown; where they are needed " + buildItYourself
	}
	return fairlead.Errorf(fairlead.Invalid, buildOp, "%w", said{err}).WithHint("%s", hint)
}

// buildLog is the end of what a build says.
type buildLog struct {
	text []byte
	line string // the newest one that begins a step and was not told yet
}

func (l *buildLog) add(text string) {
	l.text = append(l.text, text...)
	if over := len(l.text) - maxLog; over > 0 {
		l.text = append(l.text[:0], l.text[over:]...)
	}
	if first := strings.TrimSpace(text); strings.HasPrefix(strings.ToUpper(first), "STEP ") {
		l.line, _, _ = strings.Cut(first, "\n")
	}
}

// step returns the step that has begun since it was asked last, or nothing.
func (l *buildLog) step() string {
	line := l.line
	l.line = ""
	return line
}

// builtID is how engines that tell no id in a message of its own end a build.
var builtID = regexp.MustCompile(`(?m)^(?:Successfully built )?([0-9a-f]{12,64})\s*\z`)

// built finds what an engine built that tells it in the log alone.
func (l *buildLog) built(ctx context.Context, e *Engine) (fairlead.Digest, error) {
	found := builtID.FindSubmatch(bytes.TrimRight(l.text, "\n"))
	if found == nil {
		return "", errors.New("the engine does not say what it has built")
	}
	image, err := e.Image(ctx, string(found[1]))
	return image.ID, err
}
