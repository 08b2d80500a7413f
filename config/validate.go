package config

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
)

// problem is a setting that breaks a rule: where it stands in a file, and the
// whole line to say about it.
type problem struct{ path, text string }

func wrong(path, format string, args ...any) *problem {
	return &problem{path, fmt.Sprintf(format, args...)}
}

// Validate returns the first rule that c breaks, as an *Error without name
// and line, or nil. It looks at nothing but c, and leaves out of addresses the
// zones that name the underlay.
func (c *Config) Validate() error {
	if p := c.check(); p != nil {
		return &Error{Problem: p.text}
	}
	return nil
}

// check goes through the settings in the order of the schema.
func (c *Config) check() *problem {
	if p := c.Underlay.check(); p != nil {
		return p
	}
	c.unzone()
	c.settle()
	if p := c.Tunnel.check("tunnel", "tunnel"); p != nil {
		return p
	}
	if p := c.Dataplane.check(); p != nil {
		return p
	}
	if len(c.VNIs) == 0 {
		return wrong("vnis", "no vni is given (add --vni, or a list under vnis)")
	}
	seen := newNames()
	seen.take(c.Underlay.Iface, "the underlay")
	if p := checkRemotes("", "", c.Remotes, &c.Underlay); p != nil {
		p.path = p.path[1:]
		return p
	}
	first, right := make(map[uint32]bool), c.Remotes
	for i := range c.VNIs {
		v, path := &c.VNIs[i], fmt.Sprintf("vnis[%d]", i)
		if first[v.VNI] {
			return wrong(path+".vni", "vni %d is given twice (join the two, or renumber one)", v.VNI)
		}
		first[v.VNI] = true
		if p := v.check(path, &c.Underlay, seen, &right); p != nil {
			return p
		}
	}
	if p := checkListen(c.Metrics.Listen); p != nil {
		return p
	}
	if p := checkPath(c.Control.Path); p != nil {
		return p
	}
	if p := checkGroupName(c.Control.Group); p != nil {
		return p
	}
	if p := oneOf("log.format", c.Log.Format, "auto", "text", "json"); p != nil {
		return p
	}
	return oneOf("log.level", c.Log.Level, "debug", "info", "warn", "error")
}

// Bounds of Dataplane: a gateway has use for far fewer workers, and the memory is
// mapped as a whole.
const (
	maxWorkers = 256
	minFrames  = 4096
	maxFrames  = 1 << 24

	minFrameSize = 1 << 12
	maxFrameSize = 1 << 16
	maxMemory    = maxFrames * minFrameSize // bytes
)

func (d *Dataplane) check() *problem {
	if d.Workers > maxWorkers {
		return wrong("dataplane.workers", "%d workers are out of range (give 1-%d, or 0 to leave it to gw)", d.Workers, maxWorkers)
	}
	if d.Frames != 0 && (d.Frames < minFrames || d.Frames > maxFrames) {
		return wrong("dataplane.frames", "%d frames are out of range (give %d-%d, or 0 to leave it to gw)", d.Frames, minFrames, maxFrames)
	}
	if s := d.FrameSize; s != 0 && (s < minFrameSize || s > maxFrameSize || s&(s-1) != 0) {
		return wrong("dataplane.framesize", "framesize %d is no size of frames (give a power of two, %d-%d, or 0 to leave it to gw)", s, minFrameSize, maxFrameSize)
	}
	if uint64(d.Frames)*uint64(d.FrameSize) > maxMemory {
		return wrong("dataplane.framesize", "%d frames of %d bytes are more than %d GiB (give fewer)", d.Frames, d.FrameSize, maxMemory>>30)
	}
	return d.checkPolling()
}

func (u *Underlay) check() *problem {
	if u.Iface == "" {
		return wrong("underlay.iface", "no underlay interface is given (add --iface, or underlay.iface)")
	}
	if why := badName(u.Iface, maxName); why != "" {
		return wrong("underlay.iface", "underlay interface %s %s", show(u.Iface), why)
	}
	if p := u.checkLocals(); p != nil {
		return p
	}
	if u.DstPort == 0 {
		return wrong("underlay.dstport", "dstport 0 is no UDP port (give 1-65535; the usual one is 4789)")
	}
	return oneOf("underlay.mode", u.Mode, ModeAuto, ModeZeroCopy, ModeCopy, ModeGeneric)
}

// check calls the section name in messages.
func (t *Tunnel) check(path, name string) *problem {
	if t.TTL < TTLInherit || t.TTL > 255 {
		return wrong(path+".ttl", "%s: ttl %d is out of range (give 1-255, auto or inherit)", name, t.TTL)
	}
	if t.TOS < TOSInherit || t.TOS > 255 {
		return wrong(path+".tos", "%s: tos %d is out of range (give 0-255 or inherit)", name, t.TOS)
	}
	if t.FlowLabel < FlowLabelAuto || t.FlowLabel > maxFlowLabel {
		return wrong(path+".flowlabel", "%s: flowlabel %d is out of range (give 0-0xfffff, inherit or auto)", name, t.FlowLabel)
	}
	if p := oneOf(path+".df", t.DF, DFUnset, DFSet, DFInherit); p != nil {
		return p
	}
	if p := oneOf(path+".udpcsumrx", t.UDPCsumRx, CsumVerify, CsumIgnore); p != nil {
		return p
	}
	if used := t.ReservedBits &^ ReservedStrict; used != 0 {
		return wrong(path+".reserved_bits", "%s: reserved_bits %#x has %#x, which hold the flags and the VNI (give ignore, strict or bits of %#x)",
			name, uint64(t.ReservedBits), uint64(used), uint64(ReservedStrict))
	}
	lo, hi := t.SrcPort[0], t.SrcPort[1]
	if lo == 0 {
		return wrong(path+".srcport", "%s: srcport begins at 0, which is no UDP port (give one like [49152, 65535])", name)
	}
	if lo > hi {
		return wrong(path+".srcport", "%s: srcport [%d, %d] ends before it begins (give [%d, %d])", name, lo, hi, hi, lo)
	}
	return nil
}

// oneOf checks a word against those there are. path is also its name.
func oneOf[S ~string](path string, value S, known ...S) *problem {
	if slices.Contains(known, value) {
		return nil
	}
	words := make([]string, len(known))
	for i, k := range known {
		words[i] = string(k)
	}
	return wrong(path, "%s: %s is unknown (give %s)", path, show(string(value)), strings.Join(words, ", "))
}

func checkListen(listen string) *problem {
	if listen == "" {
		return nil
	}
	_, port, err := net.SplitHostPort(listen)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return wrong("metrics.listen", "metrics.listen: %s is not address:port (give one like 127.0.0.1:9478, or nothing for no metrics)", show(listen))
	}
	return nil
}

// checkGroupName refuses what no line of /etc/group can have (group(5)). Whether there is such a group
// is for the machine to say.
func checkGroupName(group string) *problem {
	if strings.ContainsFunc(group, func(r rune) bool { return r == ':' || r == ',' || r <= ' ' || r == 0x7f }) {
		return wrong("control.group", "control.group: %s is no name of a group (give one like gw, or a number)", show(group))
	}
	return nil
}

// checkPath refuses what bind(2) would: sun_path of unix(7) has 108 bytes, the
// last of them zero.
func checkPath(path string) *problem {
	const most = 107
	if path == "" {
		return nil
	}
	if !strings.HasPrefix(path, "/") {
		return wrong("control.path", "control.path: %s is not absolute (give one like /run/gw/ens18.sock)", show(path))
	}
	if len(path) > most || strings.ContainsRune(path, 0) {
		return wrong("control.path", "control.path: %s is no path for a unix socket (at most %d bytes, none zero)", show(path), most)
	}
	return nil
}
