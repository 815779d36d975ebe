package server

import (
	"net/http"
	"testing"
)

func TestTheServersHealthIsToldToAnybody(t *testing.T) {
	h := newHouse(t, t.TempDir(), "127.0.0.1:0")
	if p := h.browser().get("/healthz"); p.status != http.StatusOK || p.text != "ok\n" {
		t.Errorf("status %d: %s", p.status, p.text)
	}
}
