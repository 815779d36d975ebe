package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fairlead/fairlead"
)

// Limits of a snapshot.
const (
	bodyMost     = 16 << 20 // bytes of a control request
	routesMost   = 10_000
	saltLeast    = 16
	prefixMost   = 4 * 1024 // bytes: an App file allows 1024 characters
	idMost       = 200
	addressMost  = 4096
	instanceMost = 10_000 // of a route
)

// decode reads one JSON value and nothing else. Fields that are not known are passed
// over: a newer control plane may send them, see [Snapshot].
func decode(r io.Reader, v any) error {
	d := json.NewDecoder(r)
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is more after the JSON value")
	}
	return nil
}

// Validate returns what is wrong with s, or nil.
func (s *Snapshot) Validate() error {
	if s.Format < 1 || s.Format > formatNewest {
		return fmt.Errorf("snapshot format %d is not known here; this gateway reads 1 to %d", s.Format, formatNewest)
	}
	if len(s.Keep) > 0 && s.Format < formatKeep {
		return fmt.Errorf("snapshot format %d cannot keep routes", s.Format)
	}
	if s.Format < formatFirst && slices.ContainsFunc(s.Routes, Route.limitsFirst) {
		return fmt.Errorf("snapshot format %d cannot limit the time to the first byte", s.Format)
	}
	if _, refused := usable(s.Routes); len(refused) > 0 {
		return refused[0]
	}
	for _, site := range s.Keep {
		if slices.ContainsFunc(s.Routes, func(r Route) bool { return r.Site == site }) {
			return fmt.Errorf("%s has a route and is to keep the one before", site)
		}
	}
	return nil
}

// RefusedRoute is a route that no gateway takes.
type RefusedRoute struct {
	Site fairlead.Site
	Err  error
}

// Error says which route is wrong and how.
func (r RefusedRoute) Error() string { return fmt.Sprintf("route of %s: %v", r.Site, r.Err) }

// Unwrap returns what is wrong with it.
func (r RefusedRoute) Unwrap() error { return r.Err }

// usable parts the routes that a snapshot may hold from those that would make the
// whole of it refused. Of two that are in each other's way the first is good.
func usable(routes []Route) (good []Route, refused []RefusedRoute) {
	sites, places := map[fairlead.Site]bool{}, map[[2]string]bool{}
	for i := range routes {
		r := &routes[i]
		err := r.validate()
		place := [2]string{r.Host, strings.TrimSuffix(r.PathPrefix, "/")}
		switch {
		case err != nil:
		case len(good) == routesMost:
			err = fmt.Errorf("a snapshot has at most %d routes", routesMost)
		case sites[r.Site] || places[place]:
			err = errors.New("its site, or its host and path prefix, is there twice")
		}
		if err != nil {
			refused = append(refused, RefusedRoute{r.Site, err})
			continue
		}
		sites[r.Site], places[place] = true, true
		good = append(good, *r)
	}
	return good, refused
}

func (r *Route) validate() error {
	switch {
	case r.Site.App == "" || r.Site.Env == "":
		return errors.New("its site is empty")
	case r.Host == "" || r.Host != bareHost(r.Host):
		return fmt.Errorf("host %q is not a lower-case name without port", r.Host)
	case !strings.HasPrefix(r.PathPrefix, "/") || len(r.PathPrefix) > prefixMost || strings.Contains(r.PathPrefix, "//"):
		return fmt.Errorf("path prefix %q is not of the form /a/b", r.PathPrefix)
	case r.Timeout < 0 || r.RunLimit < 0:
		return errors.New("a duration is negative")
	}
	if err := validateAssignment(r.Assignment); err != nil {
		return err
	}
	if r.Split != nil {
		if err := r.Split.validate(); err != nil {
			return fmt.Errorf("split: %w", err)
		}
	}
	return validateBackends(r.Backends())
}

func validateAssignment(a fairlead.Assignment) error {
	switch a.By {
	case "", fairlead.BySession, fairlead.ByAPIKey, fairlead.ByRun:
	case fairlead.ByHeader:
		if a.Name == "" {
			return errors.New("assignment by header names no header")
		}
	default:
		return fmt.Errorf("assignment by %q is not known", a.By)
	}
	for _, c := range []byte(a.Name) { // a token of RFC 9110
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`"(),/:;<=>?@[\]{}`, c) >= 0 {
			return fmt.Errorf("%q cannot name a header or cookie", a.Name)
		}
	}
	return nil
}

func (s *Split) validate() error {
	switch {
	case s.Rollout == "":
		return errors.New("its rollout is empty")
	case len(s.Salt) < saltLeast:
		return fmt.Errorf("a salt of %d bytes is shorter than %d", len(s.Salt), saltLeast)
	case s.Weight > fairlead.Whole || s.Lease.Fallback > fairlead.Whole:
		return fmt.Errorf("a weight is more than %d", fairlead.Whole)
	case s.Epoch == 0 && s.Weight > 0:
		return errors.New("epoch 0 is for splits whose lease ran out; begin at 1")
	case s.Lease.TTL < 0:
		return errors.New("its lease is negative")
	case s.Mirror != nil && !(s.Mirror.Share > 0 && s.Mirror.Share <= 100):
		return fmt.Errorf("a share of %g %% cannot be mirrored", float64(s.Mirror.Share))
	}
	return nil
}

func validateBackends(backends []Backend) error {
	releases, ids, count := map[int]bool{}, map[string]bool{}, 0
	for _, b := range backends {
		if releases[b.Release] {
			return fmt.Errorf("release %d is there twice", b.Release)
		}
		releases[b.Release] = true
		count += len(b.Instances)
		for _, i := range b.Instances {
			if i.ID == "" || len(i.ID) > idMost || ids[i.ID] {
				return fmt.Errorf("instance id %q is empty, too long, or there twice", i.ID)
			}
			ids[i.ID] = true
			if err := validateAddress(i.Address); err != nil {
				return fmt.Errorf("instance %s: %w", i.ID, err)
			}
		}
	}
	if count > instanceMost {
		return fmt.Errorf("%d instances are more than %d", count, instanceMost)
	}
	return nil
}

func validateAddress(address string) error {
	scheme, rest, _ := strings.Cut(address, ":")
	switch {
	case len(address) > addressMost:
		return errors.New("its address is too long")
	case scheme == "pass" && filepath.IsAbs(rest):
		return nil
	case scheme == "tcp":
		if _, _, err := net.SplitHostPort(rest); err == nil {
			return nil
		}
	}
	return fmt.Errorf("address %q is neither tcp:HOST:PORT nor pass:/PATH", address)
}
