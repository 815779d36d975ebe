package client

import (
	"cmp"
	"net/http"

	"github.com/fairlead/fairlead"
)

var statuses = map[fairlead.Code]int{
	fairlead.Invalid:      http.StatusBadRequest,
	fairlead.NotFound:     http.StatusNotFound,
	fairlead.Conflict:     http.StatusConflict,
	fairlead.Unauthorized: http.StatusUnauthorized,
	fairlead.Forbidden:    http.StatusForbidden,
	fairlead.Unavailable:  http.StatusServiceUnavailable,
	fairlead.Unsupported:  http.StatusNotImplemented,
}

// StatusOf returns the HTTP status with which the API, and a page that shows its
// answer, tells a code: here codes become statuses, once. Faults of Fairlead's own,
// and codes that are not known, are 500.
func StatusOf(code fairlead.Code) int {
	return cmp.Or(statuses[code], http.StatusInternalServerError)
}
