package bpf

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"

	"vxgw/internal/ethtool"
)

// explainQueues says why a veth refuses native XDP with ENOSPC: its peer may
// send on more queues than it has to receive.
func explainQueues(err error, ifindex int, ifname string) error {
	l, lerr := netlink.LinkByIndex(ifindex)
	if lerr != nil || l.Type() != "veth" {
		return err
	}
	our, lerr := ethtool.GetChannels(ifname)
	if lerr != nil {
		return err
	}
	peer, lerr := peerOf(l)
	if lerr != nil {
		return fmt.Errorf("it has %d rx queues and its peer, which can't be seen from here, more tx queues: %w"+
			" (ethtool -L %s rx N, N as many as the peer sends on)", our.Rx, err, ifname)
	}
	cure := fmt.Sprintf("ethtool -L %s tx %d at the peer", peer.name, our.Rx)
	if peer.txQueues <= our.MaxRx {
		cure = fmt.Sprintf("ethtool -L %s rx %d", ifname, peer.txQueues)
	}
	return fmt.Errorf("it has %d rx queues, fewer than the %d tx queues of its peer %s: %w (%s)",
		our.Rx, peer.txQueues, peer.name, err, cure)
}

// veth is what matters here of the other end of a pair.
type veth struct {
	name     string
	txQueues uint32
}

// peerOf looks at the other end of a veth pair, in whichever network namespace.
func peerOf(l netlink.Link) (peer veth, err error) {
	err = AtPeer(l, func(end netlink.Link, _ string) error {
		ch, err := ethtool.GetChannels(end.Attrs().Name)
		peer = veth{end.Attrs().Name, ch.Tx}
		return err
	})
	return peer, err
}

// AtPeer has look see the other end of a veth pair, on a thread in its network namespace, of which path is a file: empty for
// the caller's own. It is found among those that have a name or a process that this one may see; else the error is os.ErrNotExist.
func AtPeer(l netlink.Link, look func(end netlink.Link, path string) error) error {
	path := ""
	there := func() error {
		end, err := netlink.LinkByIndex(l.Attrs().ParentIndex)
		if err != nil {
			return err
		}
		return look(end, path)
	}
	if l.Attrs().NetNsID < 0 {
		return there()
	}
	ns, where, err := namespace(l.Attrs().NetNsID)
	if err != nil {
		return err
	}
	path = where
	defer ns.Close()
	return inside(ns, there)
}

// namespace finds the network namespace that ours knows by an id, and its file: the kernel
// can't open one by its id, so look at the named ones, then at each process's.
func namespace(id int) (ns netns.NsHandle, path string, err error) {
	for _, pattern := range []string{"/run/netns/*", "/proc/[0-9]*/ns/net"} {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			return netns.None(), "", err
		}
		for _, path := range paths {
			ns, err := netns.GetFromPath(path)
			if err != nil {
				continue // ended meanwhile, or not ours to see
			}
			if got, err := netlink.GetNetNsIdByFd(int(ns)); err == nil && got == id {
				return ns, path, nil
			}
			ns.Close()
		}
	}
	return netns.None(), "", fmt.Errorf("network namespace %d: %w", id, os.ErrNotExist)
}

// inside runs look in a network namespace, on a thread of its own. A thread that
// can't come back ends with its goroutine, because it stays locked.
func inside(ns netns.NsHandle, look func() error) (err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		var back netns.NsHandle
		if back, err = netns.Get(); err != nil {
			return
		}
		defer back.Close()
		if err = netns.Set(ns); err != nil {
			return
		}
		err = look()
		if netns.Set(back) == nil {
			runtime.UnlockOSThread()
		}
	}()
	<-done
	return err
}
