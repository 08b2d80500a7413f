package doctor

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// oldest is the oldest Linux that gw runs on.
var oldest = [2]int{6, 1}

var kernelChecks = []Check{
	{"kernel.version", "The kernel's version: `gw` needs 6.1.", "a newer kernel", "docs/kernels.md", kernelVersion},
	{"kernel.af_xdp", "AF_XDP sockets, and what of them came later: packets longer than a page (6.6), and as many frames per system call as wait (6.17).",
		"a kernel with CONFIG_XDP_SOCKETS", "net/xdp/xsk.c", kernelSockets},
	{"kernel.bpf", "Whether the kernel loads an XDP program for this user.", "the capabilities of privilege.capabilities; CONFIG_BPF_SYSCALL", "kernel/bpf/syscall.c", kernelPrograms},
	{"kernel.jit", "Whether programs are compiled: an interpreted one costs several times as much per packet.", "`sysctl -w net.core.bpf_jit_enable=1`", "net/core/sysctl_net_core.c", kernelJIT},
	{"kernel.clock", "The clock source: workers read the clock, which costs a system call where user space cannot.",
		"`echo tsc > /sys/devices/system/clocksource/clocksource0/current_clocksource`", "vdso(7)", kernelClock},
}

func kernelVersion(f *facts, n *notes) {
	var v [2]int
	if _, err := fmt.Sscanf(f.kernel.release, "%d.%d", &v[0], &v[1]); err != nil {
		n.unseen("", "the kernel's version: %q is none", f.kernel.release)
		return
	}
	if slices.Compare(v[:], oldest[:]) < 0 {
		n.fail(fmt.Sprintf("boot Linux %d.%d or newer", oldest[0], oldest[1]), "Linux %s is older than gw was ever tried on", f.kernel.release)
		return
	}
	n.ok("Linux %s", f.kernel.release)
}

func kernelSockets(f *facts, n *notes) {
	switch err := f.kernel.afXDP; {
	case errors.Is(err, unix.EPERM):
		n.unseen("run it as root", "AF_XDP: a socket needs CAP_NET_RAW")
		return
	case err != nil:
		n.fail("boot a kernel with CONFIG_XDP_SOCKETS", "the kernel has no AF_XDP sockets: %v", err)
		return
	}
	var lacks []string
	for _, o := range []struct {
		has  fact[bool]
		what string
	}{
		{f.kernel.features, "telling what drivers can do (6.3)"},
		{f.kernel.parts, "packets longer than a page (6.6)"},
		{f.kernel.budget, "more than 32 frames per system call (6.17)"},
	} {
		if o.has.err == nil && !o.has.value {
			lacks = append(lacks, o.what)
		}
	}
	if len(lacks) > 0 {
		n.ok("AF_XDP is there, without %s", strings.Join(lacks, ", "))
		return
	}
	n.ok("AF_XDP is there, with all that gw uses")
}

func kernelPrograms(f *facts, n *notes) {
	switch err := f.kernel.bpf; {
	case errors.Is(err, unix.EPERM):
		n.unseen("run it as root", "whether an XDP program loads: that takes CAP_BPF and CAP_NET_ADMIN")
	case err != nil:
		n.fail("boot a kernel with CONFIG_BPF_SYSCALL; in a container, let its seccomp profile have bpf(2)", "the kernel loads no XDP program: %v", err)
	default:
		n.ok("an XDP program loads")
	}
}

func kernelJIT(f *facts, n *notes) {
	on, ok := seen(n, f.kernel.jit, "whether programs are compiled (net.core.bpf_jit_enable)")
	switch {
	case !ok:
	case on == 0:
		n.warn("sysctl -w net.core.bpf_jit_enable=1", "XDP programs are interpreted (net.core.bpf_jit_enable is 0)")
	default:
		n.ok("XDP programs are compiled")
	}
}

// fastClocks are those that user space reads by itself (vdso).
var fastClocks = []string{"tsc", "kvm-clock", "hyperv_clocksource_tsc_page", "arch_sys_counter", "riscv_clocksource"}

func kernelClock(f *facts, n *notes) {
	clock, ok := seen(n, f.kernel.clock, "the clock source")
	if !ok {
		return
	}
	if slices.Contains(fastClocks, clock) {
		n.ok("the clock source is %s", clock)
		return
	}
	cure := "find out why the kernel distrusts the faster ones: dmesg | grep -i -e tsc -e clocksource"
	for _, c := range fastClocks {
		if slices.Contains(strings.Fields(f.kernel.clocks), c) {
			cure = fmt.Sprintf("echo %s > /sys/devices/system/clocksource/clocksource0/current_clocksource", c)
			break
		}
	}
	n.warn(cure, "the clock source is %s, which takes a system call to read", clock)
}
