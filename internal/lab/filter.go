package lab

import (
	"errors"
	"fmt"
	"io"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// A program sees what enters or leaves a link:
//
//	attachFilter    load, then
//	  tcx           by a bpf_link, since Linux 6.6
//	  classify      else by a filter of the link's qdisc clsact (tc-bpf(8))

// What a program says of a frame (TCX_* in include/uapi/linux/bpf.h, and TC_ACT_OK and TC_ACT_SHOT, which are the same).
const (
	verdictPass = 0
	verdictDrop = 2
)

// attachFilter loads a program and puts it on a link of the host, where it is the only one in that direction.
func (h *Host) attachFilter(device string, where ebpf.AttachType, insns asm.Instructions) (io.Closer, error) {
	l, err := h.Link(device)
	if err != nil {
		return nil, err
	}
	var attached io.Closer
	err = h.Do(func() error {
		prog, err := ebpf.NewProgram(&ebpf.ProgramSpec{Name: "lab_vlan", Type: ebpf.SchedCLS, License: "GPL", Instructions: insns})
		if err != nil {
			return err
		}
		defer prog.Close() // what it is attached by keeps it
		tcx, err := link.AttachTCX(link.TCXOptions{Interface: l.Attrs().Index, Program: prog, Attach: where})
		if errors.Is(err, ebpf.ErrNotSupported) {
			attached, err = h.classify(l.Attrs().Index, where, prog)
			return err
		}
		attached = detached{tcx}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("attach %v to %s of %s: %w", where, device, h.name, err)
	}
	return attached, nil
}

// detached is a bpf_link that is off its interface once it is closed, also while a process that is just being started has its descriptor.
type detached struct{ link.Link }

// Close takes it off.
func (d detached) Close() error { return errors.Join(d.Detach(), d.Link.Close()) }

// classify attaches a program as a filter. The qdisc, which does nothing without one, stays with the link.
func (h *Host) classify(ifindex int, where ebpf.AttachType, prog *ebpf.Program) (io.Closer, error) {
	parent := uint32(netlink.HANDLE_MIN_INGRESS)
	if where == ebpf.AttachTCXEgress {
		parent = netlink.HANDLE_MIN_EGRESS
	}
	err := netlink.QdiscAdd(&netlink.GenericQdisc{
		QdiscAttrs: netlink.QdiscAttrs{LinkIndex: ifindex, Handle: netlink.MakeHandle(0xffff, 0), Parent: netlink.HANDLE_CLSACT},
		QdiscType:  "clsact",
	})
	if err != nil && !errors.Is(err, unix.EEXIST) {
		return nil, fmt.Errorf("add qdisc clsact (modprobe sch_ingress): %w", err)
	}
	f := &netlink.BpfFilter{
		FilterAttrs:  netlink.FilterAttrs{LinkIndex: ifindex, Parent: parent, Handle: 1, Protocol: unix.ETH_P_ALL, Priority: 1},
		Fd:           prog.FD(),
		Name:         "lab_vlan",
		DirectAction: true,
	}
	if err := netlink.FilterAdd(f); err != nil {
		return nil, fmt.Errorf("add filter (modprobe cls_bpf): %w", err)
	}
	return classifier{h, f}, nil
}

// classifier is an attached filter.
type classifier struct {
	host   *Host
	filter netlink.Filter
}

// Close takes it off; a link that has gone took it along.
func (c classifier) Close() error {
	err := c.host.Do(func() error { return netlink.FilterDel(c.filter) })
	if err != nil && !errors.Is(err, unix.ENODEV) {
		return fmt.Errorf("take filter off interface %d of %s: %w", c.filter.Attrs().LinkIndex, c.host.name, err)
	}
	return nil
}
