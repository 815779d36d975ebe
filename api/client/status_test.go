package client_test

import (
	"net/http"
	"testing"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/api/client"
)

func TestEveryCodeHasAStatus(t *testing.T) {
	for code, want := range map[fairlead.Code]int{
		fairlead.Invalid: http.StatusBadRequest, fairlead.NotFound: http.StatusNotFound, fairlead.Conflict: http.StatusConflict,
		fairlead.Unauthorized: http.StatusUnauthorized, fairlead.Forbidden: http.StatusForbidden,
		fairlead.Unavailable: http.StatusServiceUnavailable, fairlead.Unsupported: http.StatusNotImplemented,
		fairlead.Corrupt: http.StatusInternalServerError, fairlead.Internal: http.StatusInternalServerError,
		"of a newer server": http.StatusInternalServerError,
	} {
		if got := client.StatusOf(code); got != want {
			t.Errorf("code %s has status %d, want %d", code, got, want)
		}
	}
}
