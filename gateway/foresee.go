package gateway

import (
	"log/slog"

	"vxgw/config"
	"vxgw/dataplane"
	"vxgw/netdev"
	"vxgw/vxlan"
)

// What a gateway would do and knows, for who asks before there is one (gw doctor): by the code that does it.

// DriverNotes is what is known of a driver beyond what it tells itself.
type DriverNotes struct {
	Wants        string // for native XDP, "" if that is not known
	MaxMTU       int    // with native XDP, 0 if none is known
	NoLRO        bool   // native XDP wants LRO off
	HalfQueues   bool   // native XDP wants half of the queues spare
	ShortRing    uint32 // below how many packets its receive ring overruns, 0 if that is not known
	RunsDry      bool   // it errs when the fill ring has run dry; rings are such that it never does
	WhyRefused   string // what it means when it refuses zero-copy, and what helps
	RefusedCure  string
	Parts        bool // it switches LRO and hardware GRO off by itself when XDP comes
	QuietBinding bool // binding zero-copy without a program leaves the queues alone
}

// NotesOn returns what is known of the driver of an interface.
func NotesOn(info netdev.Info) DriverNotes {
	d := drivers[info.Driver]
	n := DriverNotes{Wants: wants(info), MaxMTU: d.mtu, NoLRO: d.lro, HalfQueues: d.half, ShortRing: d.short, RunsDry: d.dry,
		WhyRefused: d.why, RefusedCure: d.cure, Parts: d.parts, QuietBinding: d.quiet}
	if info.IsVeth {
		n.MaxMTU = maxDeviceMTU
	}
	return n
}

// Lower returns the interface below an underlay that is a VLAN, on which its program and sockets are, and any
// other itself.
func Lower(info netdev.Info) (netdev.Info, error) { return lower(info) }

// FitUnderlay says why an interface cannot carry the tunnel, whatever its MTU.
func FitUnderlay(info netdev.Info) error { return fitUnderlay(info) }

// FitPort says why an interface cannot be bridged.
func FitPort(info netdev.Info) error { return fitPort(info) }

// Plan is what a start would take of the machine.
type Plan struct {
	Workers           int
	CPUs              []int
	Frames, FrameSize int
	Shared            []SharedCPU // CPUs of workers that serve interrupts of the underlay, too
	// Placement is where the NIC is; Unplaced why that is not known.
	Placement netdev.Placement
	Unplaced  error
}

// SharedCPU is one of them, the interrupts that it alone serves, and what helps.
type SharedCPU struct {
	CPU              int
	Interrupts, Cure string
}

// Foresee plans a start on wire, which is the underlay or what is below its VLAN, with ports. Nothing is changed. The errors are
// those with which a start would end.
func Foresee(cfg *config.Config, wire netdev.Info, ports []netdev.Info) (p Plan, err error) {
	g := newGateway(cfg, slog.New(slog.DiscardHandler))
	if err := g.chooseFrameSize(wire, ports, cfg.VNIs); err != nil {
		return p, err
	}
	if g.workers, err = g.countWorkers(wire.RxQueues); err != nil {
		return p, err
	}
	var demands []demand
	for i := range cfg.VNIs {
		if cfg.VNIs[i].Device != nil {
			demands = append(demands, demand{queues: 1})
		}
	}
	for _, i := range ports {
		demands = append(demands, g.sound(i, portMode(cfg.Underlay.Mode)).demand())
	}
	f := planFrames(g.workers, g.sound(wire, cfg.Underlay.Mode).demand(), demands, int(cfg.Dataplane.Frames), g.frameSize)
	p.Workers, p.Frames, p.FrameSize = g.workers, f.total, g.frameSize
	cpus, err := g.usableCPUs()
	if err != nil {
		return p, err
	}
	p.Placement, p.Unplaced = netdev.PlacementOf(wire)
	if len(cfg.Dataplane.CPUs) > 0 {
		cpus = cpus[:g.workers]
	}
	p.CPUs = place(cpus, g.workers, p.Placement, siblings, wire.Index)
	if polls[cfg.Dataplane.Poll] != dataplane.PollBusy {
		p.Shared = Sharing(p.CPUs, p.Placement)
	}
	return p, nil
}

// Sharing are those of cpus, which workers have or would have, that serve interrupts alone.
func Sharing(cpus []int, at netdev.Placement) (all []SharedCPU) {
	for _, cpu := range cpus {
		if names, cure := shared(cpu, at.Interrupts); names != "" {
			all = append(all, SharedCPU{cpu, names, cure})
		}
	}
	return all
}

// TunnelTakes is how many bytes of the underlay's MTU the tunnel of v takes at least, by the addresses that it names.
func TunnelTakes(v *config.VNI) int {
	takes := innerOverhead
	v.EachRemote(func(n config.Named) bool {
		if n.Addr.Is6() {
			takes = vxlan.Overhead6
		}
		return takes == innerOverhead
	})
	return takes
}
