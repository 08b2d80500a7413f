package main

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
)

// usualSize is how long a frame is unless somebody says otherwise: the shortest of Ethernet, without its checksum.
const usualSize = 60

// localType is the EtherType of a frame of which nothing else is known (IEEE 802 local experimental).
const localType = 0x88b5

// frame makes the frame that f describes. Lengths and checksums are right.
func (f *flowWords) frame() ([]byte, error) {
	ether, inside, net := f.headers()
	bare, err := serialize(net, inside...)
	if err != nil {
		return nil, err
	}
	head, size := etherLen+len(bare), f.size
	switch {
	case size == 0:
		size = max(usualSize, head)
	case size < head:
		return nil, fmt.Errorf("size %d is less than the headers take, which is %d", size, head)
	}
	frame, err := serialize(net, slices.Concat([]gopacket.SerializableLayer{ether}, inside, []gopacket.SerializableLayer{gopacket.Payload(make([]byte, size-head))})...)
	if err != nil {
		return nil, err
	}
	return frame[:size], nil // shorter frames are padded
}

const etherLen = 14

func serialize(net gopacket.NetworkLayer, stack ...gopacket.SerializableLayer) ([]byte, error) {
	for _, l := range stack {
		if t, ok := l.(interface {
			SetNetworkLayerForChecksum(gopacket.NetworkLayer) error
		}); ok {
			if err := t.SetNetworkLayerForChecksum(net); err != nil {
				return nil, err
			}
		}
	}
	buf := gopacket.NewSerializeBuffer()
	err := gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, stack...)
	return buf.Bytes(), err
}

// headers are the layers of the frame, the first one and those in it, and the one that checksums take addresses from.
func (f *flowWords) headers() (ether *layers.Ethernet, stack []gopacket.SerializableLayer, net gopacket.NetworkLayer) {
	typ := layers.EthernetType(localType)
	switch {
	case f.etherType != 0:
		typ = layers.EthernetType(f.etherType)
	case f.proto == "arp":
		typ = layers.EthernetTypeARP
	case f.ipSrc.Is4():
		typ = layers.EthernetTypeIPv4
	case f.ipSrc.Is6():
		typ = layers.EthernetTypeIPv6
	}
	ether = &layers.Ethernet{SrcMAC: f.src, DstMAC: f.dst, EthernetType: typ}
	if f.tagged {
		ether.EthernetType = layers.EthernetTypeDot1Q
		stack = append(stack, &layers.Dot1Q{VLANIdentifier: f.vlan, Type: typ})
	}
	switch typ {
	case layers.EthernetTypeARP:
		return ether, append(stack, f.question()), nil
	case layers.EthernetTypeIPv4:
		ip := &layers.IPv4{Version: 4, IHL: 5, TTL: f.ttl, TOS: f.tos, Protocol: layers.IPProtocol(f.number()), SrcIP: f.ipSrc.AsSlice(), DstIP: f.ipDst.AsSlice()}
		if f.df {
			ip.Flags = layers.IPv4DontFragment
		}
		return ether, append(append(stack, ip), f.transport()...), ip
	case layers.EthernetTypeIPv6:
		ip := &layers.IPv6{Version: 6, HopLimit: f.ttl, TrafficClass: f.tos, NextHeader: layers.IPProtocol(f.number()), SrcIP: f.ipSrc.AsSlice(), DstIP: f.ipDst.AsSlice()}
		return ether, append(append(stack, ip), f.transport()...), ip
	}
	return ether, stack, nil
}

// question is an ARP request for the second address.
func (f *flowWords) question() *layers.ARP {
	return &layers.ARP{AddrType: layers.LinkTypeEthernet, Protocol: layers.EthernetTypeIPv4, HwAddressSize: 6, ProtAddressSize: 4, Operation: layers.ARPRequest,
		SourceHwAddress: f.src, SourceProtAddress: f.ipSrc.AsSlice(), DstHwAddress: make([]byte, 6), DstProtAddress: f.ipDst.AsSlice()}
}

// number is that of the protocol; 253 is for experiments (RFC 3692).
func (f *flowWords) number() uint8 {
	if f.proto == "" {
		return 253
	}
	if n, known := protocols[f.proto]; known {
		return n
	}
	n, _ := strconv.ParseUint(f.proto, 0, 8) // set has
	return uint8(n)
}

// transport is the header behind that of IP, if it is one that is known.
func (f *flowWords) transport() []gopacket.SerializableLayer {
	switch f.number() {
	case protocols["tcp"]:
		return []gopacket.SerializableLayer{&layers.TCP{SrcPort: layers.TCPPort(f.sport), DstPort: layers.TCPPort(f.dport), SYN: true, Window: 65535}}
	case protocols["udp"]:
		return []gopacket.SerializableLayer{&layers.UDP{SrcPort: layers.UDPPort(f.sport), DstPort: layers.UDPPort(f.dport)}}
	case protocols["sctp"]:
		return []gopacket.SerializableLayer{&layers.SCTP{SrcPort: layers.SCTPPort(f.sport), DstPort: layers.SCTPPort(f.dport)}}
	case protocols["icmp"]:
		return []gopacket.SerializableLayer{&layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(layers.ICMPv4TypeEchoRequest, 0), Id: 1, Seq: 1}}
	case protocols["icmpv6"]:
		return []gopacket.SerializableLayer{&layers.ICMPv6{TypeCode: layers.CreateICMPv6TypeCode(layers.ICMPv6TypeEchoRequest, 0)}, &layers.ICMPv6Echo{Identifier: 1, SeqNumber: 1}}
	}
	return nil
}
