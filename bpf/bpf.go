// Package bpf loads the XDP programs that steer frames to AF_XDP sockets and
// attaches them to interfaces: [Underlay] takes the VXLAN packets that are ours
// and leaves all else to the kernel, [Port] takes every frame of a local port.
//
// The way of a program, in the order of the calls:
//
//  1. [LoadUnderlay] or [LoadPort] loads it, with its maps, into the kernel.
//  2. SetSocket gives each rx queue its socket (and AddAddr and AddVNI tell the
//     underlay's program what is ours), before or after attaching.
//  3. Attach puts it on an interface; from now on frames are steered.
//  4. Close takes it off. A process that dies, however, takes it off as well.
//
// The programs only steer and never judge, but for who may send ([Underlay.Allow]): a packet
// with a wrong checksum or length reaches user space, which counts it. All methods may be called from
// any goroutine at any time, each other included; none belongs into a data
// path. They work in the network namespace of the calling thread. Needed: Linux
// 5.9 (XDP links) with CONFIG_XDP_SOCKETS, CAP_BPF and CAP_NET_ADMIN.
//
// The compiled programs are committed, so building the package needs no clang.
// `go generate` rebuilds them, check.sh verifies that they match their source.
package bpf

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/rlimit"
	"golang.org/x/sys/unix"
)

// BPF_OUT is check.sh's temporary folder; empty means here. mcpu=v3 is known to
// every kernel that has XDP links.
//
//go:generate go tool bpf2go -target bpfel,bpfeb -no-global-types -output-dir "$BPF_OUT" -output-stem underlay -cflags "-mcpu=v3 -Wall -Wextra -Werror" underlayProg underlay.c
//go:generate go tool bpf2go -target bpfel,bpfeb -no-global-types -output-dir "$BPF_OUT" -output-stem port -cflags "-mcpu=v3 -Wall -Wextra -Werror" portProg port.c
//go:generate go tool bpf2go -target bpfel,bpfeb -no-global-types -output-dir "$BPF_OUT" -output-stem porttags -cflags "-mcpu=v3 -Wall -Wextra -Werror" portTagsProg porttags.c

// The first Linux that has what the programs need.
const (
	sinceLinks = "5.9" // XDP links
	sinceTags  = "6.8" // bpf_xdp_metadata_rx_vlan_tag
)

// maxQueues is far more than any NIC has.
const maxQueues = 1 << 16

// Counters says what a program did with the frames it saw since it was loaded.
// Each frame counts in exactly one of the first four fields. A redirected frame may still be lost
// in the kernel when its socket's rings are full: see XDP_STATISTICS.
type Counters struct {
	Redirected uint64 // frames handed to the socket of their queue
	Passed     uint64 // frames that are not for us, left to the kernel
	NoSocket   uint64 // frames for us on a queue without a socket: passed on the underlay, dropped on a port
	Refused    uint64 // frames for us from VTEPs that may not send to their VNI: dropped (Underlay.Allow)
	// Late is datagrams that were refused so when the kernel had put them together, by
	// Underlay.FilterLeftovers. Their frames are among Passed.
	Late uint64
}

// steering is what both programs have in common: sockets, attachment, counters.
type steering struct {
	name   string // of the program, for errors
	queues int
	bound  bool // to one interface, natively

	mu       sync.Mutex // guards all below: closing a map while it is used is a data race
	prog     *ebpf.Program
	xsks     *ebpf.Map
	counters *ebpf.Map
	owned    []io.Closer // programs and maps, nil once closed
	link     link.Link   // nil unless attached
	device   string      // where link is
	mode     Mode        // of link
	others   bool        // link may have other holders: it was inherited
	pending  bool        // link was inherited, and still has the program of the gateway before
}

// load puts spec into the kernel with room for a socket per queue, and assigns
// its programs and maps to objs as [ebpf.CollectionSpec.LoadAndAssign] does.
// types are the kernel's, nil where the programs need none; since is the first
// Linux that has what they need.
func load(name string, spec *ebpf.CollectionSpec, queues int, types *btf.Cache, since string, objs any) error {
	if queues < 1 || queues > maxQueues {
		return fmt.Errorf("load XDP program %s: %d queues, must be 1 to %d", name, queues, maxQueues)
	}
	spec.Maps["xsks"].MaxEntries = uint32(queues)
	// Kernels before 5.11 count maps against RLIMIT_MEMLOCK. Where the limit
	// can't be raised they may fit all the same, so loading decides.
	_ = rlimit.RemoveMemlock()
	if err := spec.LoadAndAssign(objs, &ebpf.CollectionOptions{Cache: types}); err != nil {
		return fmt.Errorf("load XDP program %s: %w", name, withCureSince(err, since))
	}
	return nil
}

// takeFrags has the kernel give packets longer than a page to a program, and lets a
// driver have an MTU that makes such. Headers lie in the first page, which is all that
// the program sees. Not for every interface: a driver may then prefer a slower way.
func takeFrags(p *ebpf.ProgramSpec) { p.Flags |= unix.BPF_F_XDP_HAS_FRAGS }

// SetSocket gives the frames of an rx queue to the AF_XDP socket fd, in the
// place of any earlier one. The socket must be bound to that queue of the
// interface to receive; newer kernels (7.3) want its rx ring to be there. The
// caller keeps fd; a closed socket leaves the map by itself.
func (s *steering) SetSocket(queue, fd int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.checkQueue(queue); err != nil {
		return fmt.Errorf("set socket of queue %d of XDP program %s: %w", queue, s.name, err)
	}
	if fd < 0 {
		return fmt.Errorf("set socket of queue %d of XDP program %s: no file descriptor: %d", queue, s.name, fd)
	}
	if err := s.xsks.Put(uint32(queue), uint32(fd)); err != nil {
		return fmt.Errorf("set socket of queue %d of XDP program %s: %w", queue, s.name, withCure(err))
	}
	return nil
}

// ClearSocket takes a queue's socket out of the map: its next frames count as
// NoSocket. A queue that has none is no error.
func (s *steering) ClearSocket(queue int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.checkQueue(queue); err != nil {
		return fmt.Errorf("clear socket of queue %d of XDP program %s: %w", queue, s.name, err)
	}
	err := s.xsks.Delete(uint32(queue))
	if err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
		return fmt.Errorf("clear socket of queue %d of XDP program %s: %w", queue, s.name, withCure(err))
	}
	return nil
}

func (s *steering) checkQueue(queue int) error {
	if s.owned == nil {
		return os.ErrClosed
	}
	if queue < 0 || queue >= s.queues {
		return fmt.Errorf("it was loaded for %d queues, counted from 0", s.queues)
	}
	return nil
}

// Counters adds up what the program counted on each CPU. The kernel goes on
// counting meanwhile, so the fields are each right but not of one instant.
func (s *steering) Counters() (Counters, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.owned == nil {
		return Counters{}, fmt.Errorf("read counters of XDP program %s: %w", s.name, os.ErrClosed)
	}
	var cpus []Counters
	if err := s.counters.Lookup(uint32(0), &cpus); err != nil {
		return Counters{}, fmt.Errorf("read counters of XDP program %s: %w", s.name, withCure(err))
	}
	var sum Counters
	for _, c := range cpus {
		sum.Redirected += c.Redirected
		sum.Passed += c.Passed
		sum.NoSocket += c.NoSocket
		sum.Refused += c.Refused
		sum.Late += c.Late
	}
	return sum, nil
}

// Close detaches the program and frees it and its maps. The second call does
// nothing, nor does Detach; all other methods fail with [os.ErrClosed] from then
// on. Sockets stay open: close them afterwards.
func (s *steering) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	errs := []error{s.detach()}
	for _, c := range s.owned {
		errs = append(errs, c.Close())
	}
	s.owned = nil
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("close XDP program %s: %w", s.name, err)
	}
	return nil
}
