package bpf

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// withCure adds what helps to an error of bpf(2), and keeps nil.
func withCure(err error) error { return withCureSince(err, sinceLinks) }

// withCureSince is withCure for what the kernel has since a version.
func withCureSince(err error, since string) error {
	switch {
	case errors.Is(err, unix.EPERM):
		return fmt.Errorf("%w (needs CAP_BPF and CAP_NET_ADMIN, or root)", err)
	case errors.Is(err, unix.ENOSYS):
		return fmt.Errorf("%w (this kernel is built without BPF: needs CONFIG_BPF_SYSCALL)", err)
	case errors.Is(err, ebpf.ErrNotSupported):
		return fmt.Errorf("%w (this kernel's BPF lacks it: needs Linux %s or newer)", err, since)
	}
	return err
}

// explainAttach adds cause and cure to an error of attaching (the kernel's side
// is dev_xdp_attach in net/core/dev.c and veth_xdp_set in drivers/net/veth.c).
// It looks around on the failure path only, and says less where it sees less.
func explainAttach(err error, ifindex int, ifname string, mode Mode) error {
	switch {
	case errors.Is(err, unix.EBUSY), errors.Is(err, unix.EEXIST):
		return explainForeign(err, ifindex, ifname)
	case mode == Native && errors.Is(err, unix.EOPNOTSUPP):
		return fmt.Errorf("%w (the driver has no native XDP for it as it is set up: try generic)", err)
	case mode == Native && errors.Is(err, unix.ENOSPC):
		return explainQueues(err, ifindex, ifname)
	case mode == Native && errors.Is(err, unix.ERANGE):
		return fmt.Errorf("%w (the MTU, on veth that of the peer, is too large for native XDP: lower it)", err)
	}
	return withCure(err)
}

// explainForeign names the XDP program that is on the interface already.
func explainForeign(err error, ifindex int, ifname string) error {
	l, lerr := netlink.LinkByIndex(ifindex)
	if lerr != nil {
		return err
	}
	if l.Attrs().Xdp == nil || l.Attrs().Xdp.ProgId == 0 {
		if upper := steeredUpper(l.Attrs()); upper != "" {
			return fmt.Errorf("%s, which is on top of it, has an XDP program: %w (the kernel takes none below: use %s, or take that program off)", upper, err, upper)
		}
		return err
	}
	foreign, cure := Attached(l)
	return fmt.Errorf("%s is on %s already: %w (%s)", foreign, ifname, err, cure)
}

// Attached names the XDP program on an interface, which has one, and what takes it off. The program's own name is
// there for CAP_SYS_ADMIN only.
func Attached(l netlink.Link) (program, cure string) {
	a := l.Attrs()
	program = fmt.Sprintf("XDP program %d", a.Xdp.ProgId)
	if name := programName(a.Xdp.ProgId); name != "" {
		program += fmt.Sprintf(" (%s)", name)
	}
	cure = "ip link set dev " + a.Name + " xdp off"
	if a.Xdp.AttachMode == nl.XDP_ATTACHED_SKB {
		cure = "ip link set dev " + a.Name + " xdpgeneric off"
	}
	if id, ok := xdpLink(a.Index, a.Xdp.ProgId); ok {
		cure = fmt.Sprintf("stop its owner, or: bpftool link detach id %d", id)
	}
	return program, cure
}

// steeredUpper returns the name of an interface on top of another that has an XDP
// program, or "" (netdev_for_each_upper_dev_rcu in dev_xdp_attach).
func steeredUpper(lower *netlink.LinkAttrs) string {
	links, err := netlink.LinkList()
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
		return ""
	}
	for _, l := range links {
		a := l.Attrs()
		on := a.Index == lower.MasterIndex || a.ParentIndex == lower.Index && a.NetNsID < 0 && l.Type() != "veth"
		if on && a.Xdp != nil && a.Xdp.ProgId != 0 {
			return a.Name
		}
	}
	return ""
}

// programName returns the name of a loaded program, or "" where it can't be
// asked (that takes CAP_SYS_ADMIN).
func programName(id uint32) string {
	prog, err := ebpf.NewProgramFromID(ebpf.ProgramID(id))
	if err != nil {
		return ""
	}
	defer prog.Close()
	info, err := prog.Info()
	if err != nil {
		return ""
	}
	return info.Name
}

// xdpLink finds the bpf_link that holds program prog on an interface. Such a
// program can't be taken off with ip(8).
func xdpLink(ifindex int, prog uint32) (link.ID, bool) {
	var it link.Iterator
	defer it.Close()
	for it.Next() {
		info, err := it.Link.Info()
		if err != nil || uint32(info.Program) != prog {
			continue
		}
		if x := info.XDP(); x != nil && x.Ifindex == uint32(ifindex) {
			return info.ID, true
		}
	}
	return 0, false
}
