package gateway

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"vxgw/config"
	"vxgw/control"
	"vxgw/logs"
)

// logState is what the status says of the log.
func (g *Gateway) logState() control.Log {
	h := logs.Of(g.log)
	if h == nil { // whoever has made the gateway logs in another way
		return control.Log{Level: g.base.Log.Level}
	}
	return control.Log{Level: strings.ToLower(h.Level().String()), Debug: h.VNIs(), LeftOut: h.LeftOut()}
}

// SetLog changes what is logged, until the gateway stops; the level until the file is read again and has another one.
func (g *Gateway) SetLog(c control.LogChange) error {
	return about("log", g.rebuild(func() error {
		if logs.Of(g.log) == nil {
			return errors.New("this gateway's log cannot be changed")
		}
		if (c.Level == "") == (c.VNI == 0) {
			return errors.New("say a level, or a VNI")
		}
		if c.VNI != 0 {
			return g.debug(c.VNI, c.Debug)
		}
		next := g.running()
		next.Log.Level = c.Level
		if err := next.Validate(); err != nil {
			return err
		}
		g.setLevel(c.Level)
		g.asking.Lock()
		defer g.asking.Unlock()
		base := *g.base
		base.Log.Level = c.Level
		g.base = &base
		return nil
	}))
}

// setLevel sets that of the log, which Validate has checked.
func (g *Gateway) setLevel(level string) {
	var l slog.Level
	if h := logs.Of(g.log); h != nil && l.UnmarshalText([]byte(level)) == nil {
		h.SetLevel(l)
	}
}

// debug has what happens in a VNI told, or no longer. The builder calls it.
func (g *Gateway) debug(vni uint32, on bool) error {
	h := logs.Of(g.log)
	if !on {
		h.SetVNI(vni, false)
		return nil
	}
	if !slices.ContainsFunc(g.running().VNIs, func(v config.VNI) bool { return v.VNI == vni }) {
		return noVNI(vni)
	}
	if all := h.VNIs(); len(all) >= mostDebugged && !slices.Contains(all, vni) {
		return fmt.Errorf("%d VNIs are debugged already (gw log vni %d info ends it for one)", len(all), all[0])
	}
	h.SetVNI(vni, true)
	g.telling.begin(g)
	return nil
}

// undebug has a VNI that has gone told of no longer, so that it takes no place of others. The builder calls it.
func (g *Gateway) undebug(vni uint32) {
	if h := logs.Of(g.log); h != nil {
		h.SetVNI(vni, false)
	}
}

// mostDebugged is how many VNIs are told of at most: each line of one costs a place in the log.
const mostDebugged = 8
