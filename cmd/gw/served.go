package main

import (
	"encoding/json"
	"sync/atomic"

	"vxgw/config"
	"vxgw/control"
	"vxgw/gateway"
)

// served is a gateway with where its configuration came from.
type served struct {
	*gateway.Gateway
	loaded atomic.Pointer[config.Explained] // at the start, or by the last reload
}

// Config is the configuration in force.
func (s *served) Config() (control.Configuration, error) {
	e := s.loaded.Load().AtRunTime(s.Running())
	text, err := json.Marshal(e.Config)
	return control.Configuration{Config: text, Origins: e.Origins}, err
}

// reload is Reload, after which the configuration comes from what was loaded.
func (s *served) reload(load func() (config.Explained, error)) (summary string, err error) {
	var next config.Explained
	summary, err = s.Reload(func() (_ *config.Config, err error) {
		next, err = load()
		return next.Config, err
	})
	if err == nil {
		s.loaded.Store(&next)
	}
	return summary, err
}
