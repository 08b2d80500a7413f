package gateway

import (
	"fmt"
	"strings"
	"time"

	"vxgw/config"
)

// Reload makes the gateway do what another configuration says, as a whole or not at all;
// what differs is the one in force now, changes by verbs among it. load is called when
// its turn has come. Why it was refused stands in the status until one is not. It
// returns what has changed.
func (g *Gateway) Reload(load func() (*config.Config, error)) (changes config.Changes, err error) {
	err = g.rebuild(func() error {
		begin := time.Now()
		cfg, err := load()
		if err == nil {
			changes, err = g.reload(cfg)
		}
		g.asking.Lock()
		defer g.asking.Unlock()
		if g.trouble = ""; err != nil {
			g.trouble = err.Error()
		}
		g.reloaded(begin, err)
		return err
	})
	return changes, err
}

// TryReload says what Reload would change, or why it would refuse to, as far as that can be known without doing it: the whole file
// and the interfaces that come are looked at; sockets are not bound, groups not joined and addresses not given. Nothing changes.
func (g *Gateway) TryReload(load func() (*config.Config, error)) (changes config.Changes, err error) {
	err = g.rebuild(func() error {
		cfg, err := load()
		if err == nil {
			changes, err = g.toBecome(cfg)
		}
		if err != nil {
			return err
		}
		t := &turn{g: g}
		return with(t.plan(changes), t.back())
	})
	return changes, err
}

// toBecome is what makes cfg of what is in force, if that can be while the gateway runs.
func (g *Gateway) toBecome(cfg *config.Config) (config.Changes, error) {
	c := config.Compare(g.running(), cfg)
	if len(c.Fixed) > 0 {
		return c, fmt.Errorf("%s cannot change while gw runs (restart it, or put the old value back)", strings.Join(c.Fixed, ", "))
	}
	return c, checkRemotes(cfg, g.own())
}

func (g *Gateway) reload(cfg *config.Config) (config.Changes, error) {
	c, err := g.toBecome(cfg)
	if err == nil {
		err = g.apply(c, true)
	}
	if err != nil {
		return c, err
	}
	if c.Level != "" {
		g.setLevel(c.Level)
	}
	g.asking.Lock()
	defer g.asking.Unlock()
	g.base = cfg
	return c, nil
}

// Running is the configuration in force, which the caller must not change.
func (g *Gateway) Running() *config.Config { return g.running() }

// running is the configuration in force.
func (g *Gateway) running() *config.Config {
	g.asking.RLock()
	defer g.asking.RUnlock()
	now := *g.base
	now.VNIs = nil
	for _, d := range g.domains {
		if d != nil {
			now.VNIs = append(now.VNIs, d.settings())
		}
	}
	return &now
}

// settings is the configuration of d as it is now. Who calls it holds asking.
func (d *domain) settings() config.VNI {
	v := *d.cfg
	v.Remotes = d.flood.remotes[d.grouped():]
	return v
}

// edit changes one VNI of the configuration in force. change may be given a new one.
func (g *Gateway) edit(vni uint32, change func(*config.VNI) error) error {
	return g.rebuild(func() error {
		next := g.running()
		for i := range next.VNIs {
			v := &next.VNIs[i]
			if v.VNI != vni {
				continue
			}
			was := *v
			if err := change(v); err != nil {
				return err
			}
			if err := next.Validate(); err != nil {
				return err
			}
			return g.apply(config.Changes{Change: []config.VNIChange{{From: &was, To: v}}}, false)
		}
		return noVNI(vni)
	})
}

// reloaded counts a reload that began then. Who calls it holds asking.
func (g *Gateway) reloaded(begin time.Time, err error) {
	r := &g.reloads
	r.LastSeconds, r.LastRefused = time.Since(begin).Seconds(), err != nil
	if err != nil {
		r.Refused++
		return
	}
	r.Applied++
	r.LastApplied = unixSeconds(time.Now())
}

// unixSeconds is t in seconds since 1970.
func unixSeconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1e3 }
