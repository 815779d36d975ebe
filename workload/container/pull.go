package container

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/moby/moby/api/types/jsonstream"
	"github.com/moby/moby/client"

	"github.com/fairlead/fairlead"
)

// Pull is an order to fetch an image from its registry.
type Pull struct {
	Name        string // by tag or digest
	Credentials Credentials
	Tell        func(fairlead.Progress) // hears how far it is, from one goroutine; may be nil
	Attempts    int                     // at most; default 3
	Pause       time.Duration           // after the first attempt that broke off, then doubled; default 2s
	Silence     time.Duration           // of the engine after which an attempt counts as broken off; default 10m
}

// Pull fetches an image and returns the digest by which the registry knows it, if
// the engine tells. An attempt whose transport fails is followed by another: Podman
// keeps the layers that were finished, and Docker asks for the rest of a layer
// itself, five times, before it gives one up.
//
// Errors: not found, forbidden, invalid (made for other machines), unavailable (the
// registry, or the disk, which is full).
func (e *Engine) Pull(ctx context.Context, p Pull) (fairlead.Digest, error) {
	p.complete()
	for attempt := 1; ; attempt++ {
		digest, err := p.once(ctx, e)
		if err == nil || ctx.Err() != nil {
			return digest, errors.Join(err, ctx.Err())
		}
		why := refusal(p.Name, p.Credentials.hide(err))
		if !why.again || attempt >= p.Attempts {
			return "", why.err(e)
		}
		p.Tell(fairlead.Progress{Doing: "pulling " + p.Name, Detail: fmt.Sprintf("%s; trying again in %s", why.short, p.Pause)})
		select {
		case <-time.After(p.Pause):
		case <-ctx.Done():
			return "", ctx.Err()
		}
		p.Pause *= 2
	}
}

func (p *Pull) complete() {
	if p.Attempts == 0 {
		p.Attempts = 3
	}
	if p.Pause == 0 {
		p.Pause = 2 * time.Second
	}
	if p.Silence == 0 {
		p.Silence = 10 * time.Minute
	}
	if p.Tell == nil {
		p.Tell = func(fairlead.Progress) {}
	}
}

// errSilent is why an attempt is given up that the engine says nothing of.
var errSilent = errors.New("the engine said nothing for too long")

func (p Pull) once(ctx context.Context, e *Engine) (digest fairlead.Digest, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	quiet := time.AfterFunc(p.Silence, func() { cancel(errSilent) })
	defer quiet.Stop()
	defer func() {
		if err != nil && errors.Is(context.Cause(ctx), errSilent) {
			err = errSilent
		}
	}()
	answer, err := e.api.ImagePull(ctx, p.Name, client.ImagePullOptions{RegistryAuth: p.Credentials.header()})
	if err != nil {
		return "", err
	}
	defer answer.Close()
	stop := context.AfterFunc(ctx, func() { _ = answer.Close() })
	defer stop()
	layers := newLayers("pulling " + p.Name)
	err = messages(answer, func(m jsonstream.Message) error {
		quiet.Reset(p.Silence)
		if text, ok := strings.CutPrefix(m.Status, "Digest: "); ok && fairlead.Digest(text).Valid() {
			digest = fairlead.Digest(text)
		}
		if layers.note(m) {
			p.Tell(layers.progress())
		}
		return nil
	})
	return digest, err
}

// maxMessage is the most bytes of one message of an engine.
const maxMessage = 1 << 20

// messages calls each with every message of an engine's answer, in order, until one
// of them is an error or each returns one.
func messages(answer io.Reader, each func(jsonstream.Message) error) error {
	lines := bufio.NewScanner(answer)
	lines.Buffer(make([]byte, 0, 4096), maxMessage)
	for lines.Scan() {
		if len(lines.Bytes()) == 0 {
			continue
		}
		var m jsonstream.Message
		if err := json.Unmarshal(lines.Bytes(), &m); err != nil {
			return fmt.Errorf("a message of the engine cannot be read: %w", err)
		}
		if m.Error != nil {
			return m.Error
		}
		if err := each(m); err != nil {
			return err
		}
	}
	return lines.Err()
}
