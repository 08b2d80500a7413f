package gateway

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"vxgw/bpf"
	"vxgw/config"
	"vxgw/control"
	"vxgw/netdev"
	"vxgw/ring"
)

// How an interface is bound is decided in this order; each step may find that a
// better mode cannot be, and why:
//
//	sound    what the driver says it can do, and the NIC's own rings
//	room     frames for these rings
//	attach   the XDP program into the driver, or the stack
//	bind     sockets; the kernel has the last word (XDP_OPTIONS)

// sounding is what was found out about an interface before anything was done to it.
type sounding struct {
	info     netdev.Info
	can      netdev.Features
	nicRings netdev.Rings
	parts    bool // its packets may be longer than a page
	hopes    bool // for zero-copy
}

// sound asks the kernel what could be had on an interface.
func (g *Gateway) sound(info netdev.Info, mode config.Mode) *sounding {
	s := &sounding{info: info, parts: g.takesParts(info)}
	var err error
	if s.can, err = netdev.FeaturesOf(info.Index); err != nil {
		g.log.Debug("what the driver can do is not known", "iface", info.Name, "err", err)
	}
	s.nicRings = netdev.RingsOf(info.Name)
	s.hope(mode)
	return s
}

// hope is for zero-copy where it is wanted and the driver says that it has it, or nobody tells.
func (s *sounding) hope(mode config.Mode) {
	s.hopes = (mode == config.ModeAuto || mode == config.ModeZeroCopy) && (s.can.ZeroCopy() && !s.short() || !s.can.Known)
}

// short reports whether the driver says that zero-copy is for packets of a page at most, and the interface has others.
func (s *sounding) short() bool { return s.parts && s.can.ZCSegments < 2 }

// demand is what the interface wants of the frame memory.
func (s *sounding) demand() demand {
	d := demand{queues: s.info.RxQueues}
	if s.hopes {
		d.nic = nic{ring: s.nicRings.Rx, dry: drivers[s.info.Driver].dry}
	}
	return d
}

// fallback says why an interface is not bound in the best mode; the zero one is for one that is.
type fallback struct {
	code   string // control.FallbackRefused and so on
	reason string
	cure   string
}

// usual reports whether nothing is wrong: the driver can do no better.
func (f fallback) usual() bool { return f.code == "" || f.code == control.FallbackNoZeroCopy }

// room sets frames aside. Without room for what zero-copy takes there is none.
func (f *iface) room(g *Gateway, s *sounding, mode config.Mode, most uint32, part int) (err error) {
	f.rings, err = g.frames.claim(f.info.Name, s.demand(), most, part)
	var few *tooFewError
	if err == nil || mode != config.ModeAuto || s.demand().nic.ring == 0 || !errors.As(err, &few) {
		return err
	}
	s.hopes = false
	f.fallback = fallback{control.FallbackFewFrames, "zero-copy: too few frames for " + few.what, few.cure}
	if !s.can.Known {
		f.fallback.reason = "zero-copy, if the driver has it: too few frames for " + few.what
	}
	f.rings, err = g.frames.claim(f.info.Name, s.demand(), most, part)
	return err
}

// ringMode is the mode to bind in. Zero-copy needs the program in the driver, and is not tried in
// vain.
func (f *iface) ringMode(s *sounding, mode config.Mode) ring.Mode {
	switch {
	case f.attached == bpf.Generic:
		return ring.Generic
	case mode == config.ModeZeroCopy:
		return ring.ZeroCopy
	case mode == config.ModeCopy:
		return ring.Copy
	case s.hopes:
		return ring.Auto
	}
	if f.fallback.code == "" {
		f.fallback = fallback{code: control.FallbackNoZeroCopy, reason: s.noZeroCopy()}
	}
	return ring.Copy
}

func (s *sounding) noZeroCopy() string {
	if s.can.ZeroCopy() && s.short() {
		return "copy mode, since " + s.lacks()
	}
	return fmt.Sprintf("copy mode, since the driver %s has no zero-copy", driverName(s.info))
}

// lacks says what the driver has not.
func (s *sounding) lacks() string {
	if s.can.ZeroCopy() && s.short() {
		return fmt.Sprintf("the driver %s has zero-copy for an MTU of at most %d", driverName(s.info), plainMTU)
	}
	return fmt.Sprintf("the driver %s has none", driverName(s.info))
}

// driverName is the driver's, or what the interface is where it has none.
func driverName(info netdev.Info) string {
	if info.Driver == "" {
		return info.Kind
	}
	return info.Driver
}

// checkZeroCopy fails where zero-copy is asked for, and the driver says that it has none.
func (s *sounding) checkZeroCopy(mode config.Mode) error {
	if mode != config.ModeZeroCopy || s.hopes {
		return nil
	}
	return fmt.Errorf("bind %s zero-copy: %w: %s (try --mode copy, or auto for the best that there is; docs/operations.md lists drivers that have it)",
		s.info.Name, unix.EOPNOTSUPP, s.lacks())
}

// took notes what the kernel has answered to the first socket.
func (f *iface) took(s *sounding, b ring.Binding) {
	if b.Refused == 0 || f.fallback.code != "" {
		return
	}
	if !s.can.Known && b.Refused == unix.EOPNOTSUPP {
		f.fallback = fallback{code: control.FallbackNoZeroCopy, reason: s.noZeroCopy()}
		return
	}
	d := drivers[f.info.Driver]
	f.fallback = fallback{code: control.FallbackRefused, reason: fmt.Sprintf("zero-copy: the driver %s offers it and refuses to bind: %v", driverName(f.info), b.Refused)}
	if d.why != "" {
		f.fallback.reason += ": " + d.why
	}
	f.fallback.cure = refusalCure(f.info)
}

// refusalCure is what may help where a driver that has zero-copy refuses it.
func refusalCure(info netdev.Info) string {
	if cure := drivers[info.Driver].cure; cure != "" {
		return cure
	}
	return "dmesg may tell why; docs/operations.md has what is known of drivers"
}

// tell logs why an interface is not bound in the best mode, and what its driver is known for.
func (g *Gateway) tell(f *iface, s *sounding) {
	args := []any{"iface", f.info.Name, "reason", f.fallback.reason}
	switch {
	case f.fallback.code == "":
	case f.fallback.usual() && f.info.IsVeth: // as every veth: no news
		g.log.Debug("the interface is not bound in the best mode", args...)
	case f.fallback.usual():
		g.log.Info("the interface is not bound in the best mode", args...)
	default:
		g.log.Warn("the interface is not bound in the best mode", append(args, "cure", f.fallback.cure)...)
	}
	if s.hopes {
		s.advise(g.log)
	}
}
