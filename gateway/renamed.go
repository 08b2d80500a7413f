package gateway

// A port keeps the name that the configuration has for it, whatever the interface is called later: entries, the status and
// the file speak of one thing. Verbs take the interface's new name too.

// callNow notes what the interface of p is called, or that of a device's host end. The steward calls it.
func (p *port) callNow(name string) {
	if now := p.called.Load(); now == nil || *now != name {
		p.called.Store(&name)
	}
}

// renamed is what p is called now, "" where that is its name.
func (p *port) renamed() string {
	if now := p.called.Load(); now != nil && *now != p.label() {
		return *now
	}
	return ""
}

// configured is the name that a port has in the configuration which is called name now; name itself where there is none. Who
// calls it is the steward or holds asking.
func (g *Gateway) configured(name string) string {
	as := name
	for _, p := range g.ports {
		switch {
		case p == nil || name == "":
		case p.label() == name:
			return name
		case p.renamed() == name:
			as = p.label()
		}
	}
	return as
}

// configuredAs is configured for others.
func (g *Gateway) configuredAs(name string) string {
	g.asking.RLock()
	defer g.asking.RUnlock()
	return g.configured(name)
}
