package gateway

import (
	"bytes"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"vxgw/bpf"
	"vxgw/config"
	"vxgw/control"
	"vxgw/internal/lab"
	"vxgw/netdev"
	"vxgw/ring"
)

// logBook is a log that can be read while it is written.
type logBook struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logBook) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

// line returns the last line that has all words, or "".
func (l *logBook) line(words ...string) (found string) {
	l.mu.Lock()
	defer l.mu.Unlock()
lines:
	for line := range strings.Lines(l.text.String()) {
		for _, w := range words {
			if !strings.Contains(line, w) {
				continue lines
			}
		}
		found = line
	}
	return found
}

var (
	offered = netdev.Features{Known: true, XDP: netdev.XDPBasic | netdev.XDPRedirect | netdev.XDPZeroCopy, ZCSegments: 1}
	copying = netdev.Features{Known: true, XDP: netdev.XDPBasic | netdev.XDPRedirect}
)

// TestBinding goes from what a driver says and the kernel answers to what is tried, what is
// said of it, and how loud.
func TestBinding(t *testing.T) {
	for _, c := range []struct {
		name, driver string
		can          netdev.Features
		parts        bool
		mode         config.Mode
		attached     bpf.Mode
		refused      unix.Errno
		tried        ring.Mode
		code         string
		says         []string // in reason and cure
		level        string   // of the log, "" for silence
	}{
		{name: "zero-copy", driver: "igb", can: offered, tried: ring.Auto},
		{name: "zero-copy alone", driver: "igb", can: offered, mode: config.ModeZeroCopy, tried: ring.ZeroCopy},
		{name: "copy as asked", driver: "igb", can: offered, mode: config.ModeCopy, tried: ring.Copy},
		{name: "veth", driver: "veth", can: copying, tried: ring.Copy, code: control.FallbackNoZeroCopy,
			says: []string{"driver veth has no zero-copy"}, level: "DEBUG"},
		{name: "a NIC without", driver: "ena", can: copying, tried: ring.Copy, code: control.FallbackNoZeroCopy,
			says: []string{"driver ena has no zero-copy"}, level: "INFO"},
		{name: "an old kernel with", driver: "ice", tried: ring.Auto},
		{name: "an old kernel without", driver: "ena", refused: unix.EOPNOTSUPP, tried: ring.Auto, code: control.FallbackNoZeroCopy,
			says: []string{"driver ena has no zero-copy"}, level: "INFO"},
		{name: "an old kernel's refusal", driver: "ice", refused: unix.ENOMEM, tried: ring.Auto, code: control.FallbackRefused,
			says: []string{"cannot allocate memory", "dmesg"}, level: "WARN"},
		{name: "a virtual machine without IOMMU", driver: "virtio_net", can: offered, refused: unix.EINVAL, tried: ring.Auto, code: control.FallbackRefused,
			says: []string{"virtio_net offers it", "invalid argument", "iommu_platform=on", "libvirt"}, level: "WARN"},
		{name: "packets longer than a page", driver: "ice", parts: true, can: netdev.Features{Known: true, XDP: offered.XDP, ZCSegments: 17}, tried: ring.Auto},
		{name: "of which the driver has none without a copy", driver: "igb", parts: true, can: netdev.Features{Known: true, XDP: offered.XDP, ZCSegments: 1},
			tried: ring.Copy, code: control.FallbackNoZeroCopy, says: []string{"igb has zero-copy for an MTU of at most 3752"}, level: "INFO"},
		{name: "in the stack", driver: "igb", can: offered, attached: bpf.Generic, tried: ring.Generic},
	} {
		t.Run(c.name, func(t *testing.T) {
			info := netdev.Info{Name: "ens18", Driver: c.driver, IsVeth: c.driver == "veth"}
			if c.mode == "" {
				c.mode = config.ModeAuto
			}
			s := &sounding{info: info, can: c.can, parts: c.parts}
			s.hope(c.mode)
			must(t, s.checkZeroCopy(c.mode))
			f := &iface{info: info, attached: c.attached}
			if tried := f.ringMode(s, c.mode); tried != c.tried {
				t.Errorf("%v is tried, want %v", tried, c.tried)
			}
			f.took(s, ring.Binding{Refused: c.refused})
			said := f.fallback.reason + "; " + f.fallback.cure
			if f.fallback.code != c.code {
				t.Errorf("fallback %+v, want %q", f.fallback, c.code)
			}
			for _, w := range c.says {
				if !strings.Contains(said, w) {
					t.Errorf("no %q in %q", w, said)
				}
			}
			var log logBook
			g := &Gateway{log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))}
			g.tell(f, s)
			line := log.line("not bound in the best mode")
			if (line == "") != (c.level == "") || !strings.Contains(line, c.level) || c.level != "" && !strings.Contains(line, "iface=ens18") {
				t.Errorf("logged %q, want level %s", line, c.level)
			}
			if (c.level == "WARN") != strings.Contains(line, "cure=") {
				t.Errorf("logged %q; a cure goes with a warning", line)
			}
		})
	}
}

// Zero-copy that cannot be had is refused before anything is touched.
func TestZeroCopyRefused(t *testing.T) {
	s := &sounding{info: netdev.Info{Name: "ens18", Driver: "ena"}, can: copying}
	s.hope(config.ModeZeroCopy)
	err := s.checkZeroCopy(config.ModeZeroCopy)
	if !errors.Is(err, unix.EOPNOTSUPP) || !strings.HasPrefix(err.Error(), "bind ens18 zero-copy: operation not supported: the driver ena has none (try --mode copy") {
		t.Error(err)
	}
}

// refusing is a program that drivers refuse.
type refusing struct {
	program
	err error
}

func (p refusing) Attach(_ int, _ string, mode bpf.Mode) error {
	if mode == bpf.Generic {
		return nil
	}
	return p.err
}

// A driver that refuses native XDP is helped by what is known of it. Auto mode goes on in the
// stack where the driver says that it has none.
func TestNativeRefused(t *testing.T) {
	for _, c := range []struct {
		driver string
		mode   config.Mode
		err    error
		fails  string
		falls  string
		cure   string
	}{
		{"bridge", config.ModeAuto, unix.EOPNOTSUPP, "", "operation not supported", "whose driver has XDP"},
		{"bridge", config.ModeCopy, unix.EOPNOTSUPP, "operation not supported", "", ""},
		{"hv_netvsc", config.ModeAuto, unix.EOPNOTSUPP, "", "operation not supported", "the driver hv_netvsc wants for native XDP no LRO, and an MTU of at most 3506: ethtool -K ens18 lro off"},
		{"ena", config.ModeAuto, unix.EINVAL, "invalid argument (the driver ena wants for native XDP at most half of its queues, and an MTU of at most 3498: ethtool -L ens18", "", ""},
		{"igc", config.ModeZeroCopy, unix.EOPNOTSUPP, "ip link set dev ens18 mtu 1500", "", ""},
		{"ena", config.ModeAuto, unix.EBUSY, "device or resource busy", "", ""},
	} {
		f := &iface{info: netdev.Info{Name: "ens18", Driver: c.driver}, program: refusing{err: c.err}}
		err := f.attach(c.mode)
		if (err == nil) != (c.fails == "") || err != nil && (!strings.Contains(err.Error(), c.fails) || !errors.Is(err, c.err)) {
			t.Errorf("%s, mode %s: %v, want %q", c.driver, c.mode, err, c.fails)
		}
		if c.err == unix.EBUSY && strings.Contains(err.Error(), "wants") {
			t.Errorf("somebody else's program: %v", err)
		}
		got := f.fallback
		if c.falls == "" && got.code != "" || c.falls != "" && (got.code != control.FallbackNoNative || f.attached != bpf.Generic || !strings.Contains(got.reason, c.falls) || !strings.Contains(got.cure, c.cure)) {
			t.Errorf("%s, mode %s: fallback %+v, want %q", c.driver, c.mode, got, c.falls)
		}
	}
}

// Known traps are told where they apply and something can be done.
func TestAdvice(t *testing.T) {
	for _, c := range []struct {
		driver string
		rings  netdev.Rings
		want   string
	}{
		{"igb", netdev.Rings{MaxRx: 4096, Rx: 256}, "ethtool -G ens18 rx 1024"},
		{"igb", netdev.Rings{MaxRx: 512, Rx: 256}, "ethtool -G ens18 rx 512"},
		{"igb", netdev.Rings{MaxRx: 256, Rx: 256}, ""},
		{"igb", netdev.Rings{MaxRx: 4096, Rx: 2048}, ""},
		{"virtio_net", netdev.Rings{MaxRx: 1024, Rx: 256}, ""},
		{"veth", netdev.Rings{}, ""},
	} {
		var log logBook
		s := &sounding{info: netdev.Info{Name: "ens18", Driver: c.driver}, nicRings: c.rings}
		s.advise(slog.New(slog.NewTextHandler(&log, nil)))
		if line := log.line("INFO", "receive ring is short"); (line == "") != (c.want == "") || !strings.Contains(line, c.want) {
			t.Errorf("%s, %+v: %q, want %q", c.driver, c.rings, line, c.want)
		}
	}
}

// A veth is bound in copy mode without a try at zero-copy, whoever its owner is, and that is
// nothing to warn of; the status has it.
func TestVethIsCopied(t *testing.T) {
	t.Parallel()
	var log logBook
	b := newBedWith(t, func(g *Gateway) []func() error {
		g.log = slog.New(slog.NewTextHandler(&log, nil))
		return append(g.steps(), g.startSteward)
	})
	told, err := lab.KernelHas("netdev_nl_dev_get_doit") // since 6.3; else zero-copy is tried, and the answer is as good
	must(t, err)
	s := b.g.Status()
	for _, i := range []control.Interface{s.Underlay.Interface, s.Ports[0].Interface} {
		if i.Driver != "veth" || i.FallbackCode != control.FallbackNoZeroCopy || !strings.Contains(i.Fallback, "veth has no zero-copy") || i.FallbackCure != "" {
			t.Errorf("%s: driver %q, fallback %q, %q, %q", i.Name, i.Driver, i.FallbackCode, i.Fallback, i.FallbackCure)
		}
		if (i.Offers != nil) != told || told && !slices.Contains(i.Offers.XDP, "redirect") {
			t.Errorf("%s offers %+v", i.Name, i.Offers)
		}
		if want := (control.Rings{Rx: maxRing, Tx: maxRing, Fill: maxRing}); i.Rings != want {
			t.Errorf("%s has rings %+v, want %+v", i.Name, i.Rings, want)
		}
	}
	for _, f := range []*iface{b.g.wire, b.g.ports[0].iface} {
		for _, q := range f.queues {
			if no := q.Socket.Bound().Refused; (no == 0) != told {
				t.Errorf("%s was tried zero-copy: %v", f.info.Name, no)
			}
		}
	}
	if line := log.line("WARN", "mode"); line != "" {
		t.Error(line)
	}
}
