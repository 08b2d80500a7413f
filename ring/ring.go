// Package ring is AF_XDP and only AF_XDP: frame memory, sockets, their four rings, and the pools of free frames. It knows
// nothing of Ethernet, and loads no XDP program.
//
// # One memory
//
// All devices share one [Memory], cut into frames. Each [Device] registers it with the kernel as a UMEM of its own, so an
// address means the same frame on every device and a frame received on one is sent on another by moving its descriptor.
// The kernel does not know that the UMEMs are one memory: this package keeps account of who owns a frame.
//
// # The way of a frame
//
//	Depot -> Pool -> Refill -> fill ring -> kernel -> rx ring -> Receive -> the caller
//	the caller -> Send, Flush -> tx ring -> kernel -> completion ring -> Reap -> Pool -> Depot
//
// A frame has one owner at any time. What Receive hands out belongs to the caller, who gives it to a Send or a Put, once.
//
// # Goroutines
//
// A [Pool] and the verbs of a [Socket] belong to one goroutine; they take no lock and allocate nothing. [Depot], [Device],
// [Memory.Open], [Socket.Counters], [Socket.Statistics] and [Socket.Outstanding] may be used from any.
package ring

import "golang.org/x/sys/unix"

// Desc is a descriptor of the rx and tx rings, passed by value: the offset of the packet's first byte in the memory, and
// its length in bytes (struct xdp_desc of linux/if_xdp.h).
type Desc = unix.XDPDesc
