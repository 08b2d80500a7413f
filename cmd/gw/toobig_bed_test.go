package main

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"
	"testing"

	"vxgw/internal/lab"
)

// narrow is the article's third scenario typed as there: a container on each of two
// nodes, and an MTU of 1500 everywhere, on the underlay too.
type narrow struct {
	ends  [2]end // in the containers, by IPv4
	ends6 [2]end // the same by IPv6
	hosts [2]*lab.Host
	gws   [2]*vtep // nil where the kernel's bridge and vxlan device are
}

// What may bridge a node's container. The vxlan device of the article has the MTU of
// the underlay less 50 and can have no other, so that the bridge drops what is
// larger before the device sees it. One that is not bound to the underlay has 1500,
// and answers.
const (
	byGW      = "gw"
	byKernel  = "kernel"
	byArticle = "article"
)

// boxMACs are the containers' addresses.
var boxMACs = [2]net.HardwareAddr{{2, 0, 0, 0, 1, 1}, {2, 0, 0, 0, 1, 2}}

func newNarrow(t *testing.T, nodes ...string) *narrow {
	t.Helper()
	l, n := newLab(t), &narrow{}
	n.hosts = [2]*lab.Host{newHost(t, l, "node1"), newHost(t, l, "node2")}
	_, err := l.Switch("switch", lab.SwitchPort{Host: n.hosts[0], Link: "ens18"}, lab.SwitchPort{Host: n.hosts[1], Link: "ens18"})
	must(t, err)
	under := [2]netip.Addr{under1, under2}
	over := [2]string{"172.19.1.2", "172.19.1.3"}
	over6 := [2]string{"fd19::2", "fd19::3"}
	for i, h := range n.hosts {
		must(t, h.AddAddress("ens18", under[i].String()+"/24"))
		c, err := h.BridgePort("veth1", []string{"net1", "net3"}[i], over[i]+"/24", lab.VethOptions{BMAC: boxMACs[i]})
		must(t, err)
		must(t, c.AddAddress("veth0", over6[i]+"/64"))
		n.ends[i] = end{host: c, dev: "veth0", addr: netip.MustParseAddr(over[i])}
		n.ends6[i] = end{host: c, dev: "veth0", addr: netip.MustParseAddr(over6[i])}
		if nodes[i] != byGW {
			n.bridge(t, i, under[1-i], nodes[i] == byArticle)
			continue
		}
		n.gws[i] = start(t, h, "--iface", "ens18", "--vni", "42", "--remote", under[1-i].String(), "--port", "veth1")
	}
	resolve(t, n.ends[0], n.ends[1])
	resolve(t, n.ends6[0], n.ends6[1])
	return n
}

// bridge makes the kernel do it.
func (n *narrow) bridge(t *testing.T, node int, remote netip.Addr, bound bool) {
	t.Helper()
	h := n.hosts[node]
	// Where br_netfilter is loaded, bridges reassemble and fragment.
	for _, key := range []string{"net.bridge.bridge-nf-call-iptables", "net.bridge.bridge-nf-call-ip6tables"} {
		if err := h.SetSysctl(key, "0"); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	}
	must(t, h.Bridge("bridge0", "veth1"))
	c := lab.VXLANConfig{Name: "vxlan0", VNI: 42, Remote: remote, Master: "bridge0"}
	if bound {
		c.Dev = "ens18"
	}
	must(t, h.KernelVXLAN(c))
}

// box4 is an IPv4 packet with an ID from one container to the other in a frame. The
// edits come before the checksum.
func box4(id uint16, size int, proto byte, edits ...edit) []byte {
	p := make([]byte, size)
	copy(p, []byte{0x45, 0, byte(size >> 8), byte(size), byte(id >> 8), byte(id), 0x40, 0, 17, proto, 0, 0, 172, 19, 1, 2, 172, 19, 1, 3})
	f := frameOf(boxMACs[1], boxMACs[0], 0x0800, p)
	for _, e := range edits {
		f = e(f)
	}
	return sumIP(f)
}

// box6 is the same over IPv6, with a flow label.
func box6(label uint16, size int, proto byte, edits ...edit) []byte {
	p := make([]byte, size)
	copy(p, []byte{0x60, 0, byte(label >> 8), byte(label), byte((size - 40) >> 8), byte(size - 40), proto, 17,
		0xfd, 0x19, 23: 2, 24: 0xfd, 25: 0x19, 39: 3})
	f := frameOf(boxMACs[1], boxMACs[0], 0x86dd, p)
	for _, e := range edits {
		f = e(f)
	}
	return f
}

// tooBigAnswer reads a frame as an answer to what box4 or box6 made. It is nil for
// other frames.
func tooBigAnswer(f lab.Frame) (label uint16, ip []byte) {
	if f.Outgoing || len(f.Data) < 14+48+40 {
		return 0, nil
	}
	switch ip := f.Data[14:]; binary.BigEndian.Uint16(f.Data[12:]) {
	case 0x0800:
		if ip[9] == 1 && ip[20] == 3 && ip[21] == 4 {
			return binary.BigEndian.Uint16(ip[28+4:]), ip
		}
	case 0x86dd:
		if ip[6] == 58 && ip[40] == 2 {
			return binary.BigEndian.Uint16(ip[48+2:]), ip
		}
	}
	return 0, nil
}

// rightAnswer checks what has to be the same in every answer, and blanks it and what
// need not be: TOS, ID and TTL. It returns what is left.
func rightAnswer(t *testing.T, ip []byte) []byte {
	t.Helper()
	ip = slices.Clone(ip)
	if ip[0] == 0x45 {
		if sum16(ip[:20]) != 0xffff || sum16(ip[20:]) != 0xffff {
			t.Errorf("wrong checksums: % x", ip[:28])
		}
		ip[1], ip[4], ip[5], ip[8], ip[10], ip[11] = 0, 0, 0, 0, 0, 0
		return ip
	}
	if pseudo := slices.Concat(ip[8:40], []byte{0, 0}, ip[4:6], []byte{0, 0, 0, 58}, ip[40:]); sum16(pseudo) != 0xffff {
		t.Errorf("wrong checksum: % x", ip[:48])
	}
	ip[7] = 0
	return ip
}
