package main

import (
	"encoding/json"
	"log/slog"
	"sync"
	"sync/atomic"

	"vxgw/config"
	"vxgw/control"
	"vxgw/gateway"
)

// served is a gateway with where its configuration came from.
type served struct {
	*gateway.Gateway
	loaded atomic.Pointer[config.Explained] // at the start, or by the last reload
	load   func() (config.Explained, error) // reads it again; nil where there is no file
	log    *slog.Logger

	reloading sync.Mutex // one reload comes after another, and so does what is told of them
}

// Config is the configuration in force.
func (s *served) Config() (control.Configuration, error) {
	e := s.loaded.Load().AtRunTime(s.Running())
	text, err := json.Marshal(e.Config)
	return control.Configuration{Config: text, Origins: e.Origins}, err
}
