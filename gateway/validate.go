package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"

	"github.com/fairlead/fairlead"
)

// Limits of a snapshot.
const (
	bodyMost     = 16 << 20 // bytes of a control request
	routesMost   = 10_000
	saltLeast    = 16
	prefixMost   = 1024
	idMost       = 200
	addressMost  = 4096
	instanceMost = 10_000 // of a route
)

// decodeStrict reads one JSON value and nothing else; unknown fields are errors.
func decodeStrict(r io.Reader, v any) error {
	d := json.NewDecoder(r)
	d.DisallowUnknownFields()
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
	if s.Format != 1 {
		return fmt.Errorf("snapshot format %d is not 1", s.Format)
	}
	if len(s.Routes) > routesMost {
		return fmt.Errorf("%d routes are more than %d", len(s.Routes), routesMost)
	}
	sites, places := map[fairlead.Site]bool{}, map[[2]string]bool{}
	for i := range s.Routes {
		r := &s.Routes[i]
		if err := r.validate(); err != nil {
			return fmt.Errorf("route %d of %s: %w", i, r.Site, err)
		}
		place := [2]string{r.Host, strings.TrimSuffix(r.PathPrefix, "/")}
		if sites[r.Site] || places[place] {
			return fmt.Errorf("route %d of %s: its site, or its host and path prefix, is there twice", i, r.Site)
		}
		sites[r.Site], places[place] = true, true
	}
	return nil
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
	backends := append([]Backend{r.Stable}, r.Leaving...)
	if r.Split != nil {
		if err := r.Split.validate(); err != nil {
			return fmt.Errorf("split: %w", err)
		}
		backends = append(backends, r.Split.Canary)
	}
	return validateBackends(backends)
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
