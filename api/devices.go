package api

import (
	"context"
	"io"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/fairlead/fairlead/api/client"
)

// Devices are the machine's GPUs, and who has which part of them.
type Devices interface {
	List() client.Devices
	Exposition(w io.Writer) error // in Prometheus's text format
}

func (s *server) registerDevices(api huma.API, mux *http.ServeMux) {
	register(api, http.MethodGet, "/v1/devices", "listDevices", "The machine's GPUs, how they do, and who has which part of them",
		func(context.Context, *struct{}) (client.Devices, error) { return s.Devices.List(), nil })
	mux.HandleFunc("GET "+metricsPath+"devices", s.page(func(_ *http.Request, w io.Writer) error { return s.Devices.Exposition(w) }))
}
