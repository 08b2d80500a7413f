package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// flowWords is what a frame is to say. What is not given is zero, ports and addresses among it.
type flowWords struct {
	src, dst     net.HardwareAddr
	vlan         uint16
	tagged       bool
	etherType    uint16 // where there is no IP packet
	ipSrc, ipDst netip.Addr
	proto        string // a name of protocols, or a number
	sport, dport uint16
	ports        bool
	ttl, tos     uint8
	df           bool
	size         int // of the frame, 0 for what is usual
}

// protocols are those that a frame can be made of, by number; ICMP of IPv6 is chosen by the addresses.
var protocols = map[string]uint8{"icmp": 1, "tcp": 6, "udp": 17, "icmpv6": 58, "sctp": 132}

// mostFlow is how long a frame may be, in bytes.
const mostFlow = 1<<16 - 1

// parseFlow reads words with commas between them, with names or in their places.
func parseFlow(text string) (*flowWords, error) {
	f := &flowWords{ttl: 64}
	given := map[string]bool{}
	for _, word := range strings.Split(text, ",") {
		word = strings.TrimSpace(word)
		if word == "" {
			return nil, errors.New("there is nothing between two commas, or at an end")
		}
		name, value, named := strings.Cut(word, "=")
		if !named {
			name, value = f.place(word, given), word
		}
		if given[name] {
			return nil, fmt.Errorf("%s is given twice", name)
		}
		given[name] = true
		if err := f.set(strings.ToLower(name), value, named); err != nil {
			return nil, err
		}
	}
	return f, f.check(given)
}

// place is what a word without a name stands for.
func (f *flowWords) place(word string, given map[string]bool) string {
	first := func(names ...string) string {
		for _, n := range names {
			if !given[n] {
				return n
			}
		}
		return "word " + strconv.Quote(word)
	}
	_, isNumber := strconv.ParseUint(word, 10, 64)
	_, isIP := netip.ParseAddr(word)
	mac, notMAC := net.ParseMAC(word)
	switch {
	case strings.EqualFold(word, "broadcast"), notMAC == nil && len(mac) == 6 && isIP != nil, !given["dst"] && isIP != nil && isNumber != nil && word != "df":
		return first("src", "dst")
	case isIP == nil:
		return first("ip_src", "ip_dst")
	case word == "df":
		return "df"
	case isNumber == nil && !given["vlan"] && !given["ip_src"] && !given["proto"]:
		return "vlan"
	case isNumber == nil && given["proto"]:
		return first("sport", "dport")
	}
	return first("proto")
}

// set takes one word.
func (f *flowWords) set(name, value string, named bool) (err error) {
	switch name {
	case "src", "eth_src":
		f.src, err = flowMAC("source", value)
	case "dst", "eth_dst":
		f.dst, err = flowMAC("destination", value)
	case "vlan":
		f.tagged = true
		f.vlan, err = flowNumber[uint16](name, value, 4095)
	case "ethertype", "type":
		f.etherType, err = flowNumber[uint16](name, value, 1<<16-1)
	case "ip_src":
		f.ipSrc, err = flowAddr(name, value)
	case "ip_dst":
		f.ipDst, err = flowAddr(name, value)
	case "proto":
		f.proto = strings.ToLower(value)
		if _, known := protocols[f.proto]; !known && f.proto != "arp" {
			if _, err = flowNumber[uint8](name, value, 255); err != nil {
				err = fmt.Errorf("proto %q is unknown (give tcp, udp, icmp, sctp, arp or a number)", value)
			}
		}
	case "sport":
		f.sport, err = flowNumber[uint16](name, value, 1<<16-1)
		f.ports = true
	case "dport":
		f.dport, err = flowNumber[uint16](name, value, 1<<16-1)
		f.ports = true
	case "ttl":
		f.ttl, err = flowNumber[uint8](name, value, 255)
	case "tos":
		f.tos, err = flowNumber[uint8](name, value, 255)
	case "size":
		f.size, err = flowNumber[int](name, value, mostFlow)
	case "df":
		if f.df = true; named {
			f.df, err = strconv.ParseBool(value)
		}
	default:
		err = fmt.Errorf("%s is not understood (give src,dst[,vlan][,ip_src,ip_dst[,proto[,sport,dport]]], or names with =: src, dst, vlan, ethertype, ip_src, ip_dst, proto, sport, dport, ttl, tos, df, size)", name)
	}
	return err
}

func flowMAC(which, value string) (net.HardwareAddr, error) {
	if strings.EqualFold(value, "broadcast") {
		return net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, nil
	}
	mac, err := net.ParseMAC(value)
	if err != nil || len(mac) != 6 {
		return nil, fmt.Errorf("the %s %q is no MAC address (give one like 02:57:a7:1c:00:01)", which, value)
	}
	return mac, nil
}

func flowAddr(name, value string) (netip.Addr, error) {
	a, err := netip.ParseAddr(value)
	if err != nil || a.Zone() != "" {
		return a, fmt.Errorf("%s %q is no IP address", name, value)
	}
	return a.Unmap(), nil
}

func flowNumber[T uint8 | uint16 | int](name, value string, most uint64) (T, error) {
	n, err := strconv.ParseUint(value, 0, 64)
	if err != nil || n > most {
		return 0, fmt.Errorf("%s %q is no number from 0 to %d", name, value, most)
	}
	return T(n), nil
}

// check refuses what makes no frame.
func (f *flowWords) check(given map[string]bool) error {
	switch {
	case f.src == nil:
		return errors.New("the source MAC address is missing (it comes first: src,dst,...)")
	case f.dst == nil:
		return errors.New("the destination MAC address is missing (it comes second: src,dst,...; broadcast is one)")
	case f.ipSrc.IsValid() != f.ipDst.IsValid():
		return errors.New("both IP addresses are needed, or none")
	case f.ipSrc.IsValid() && f.ipSrc.Is4() != f.ipDst.Is4():
		return fmt.Errorf("%s and %s are not of one family", f.ipSrc, f.ipDst)
	case f.proto == "arp" && !f.ipSrc.Is4():
		return errors.New("arp wants two IPv4 addresses: who asks, and who is asked for")
	case f.proto != "" && !f.ipSrc.IsValid():
		return fmt.Errorf("proto %s wants two IP addresses", f.proto)
	case f.ports && f.proto != "tcp" && f.proto != "udp" && f.proto != "sctp":
		return errors.New("ports are those of tcp, udp or sctp (say which in front of them)")
	case f.etherType != 0 && f.ipSrc.IsValid():
		return errors.New("ethertype is that of a frame without IP addresses")
	case f.proto == "icmp" && f.ipSrc.Is6():
		f.proto = "icmpv6"
	case f.proto == "icmpv6" && f.ipSrc.Is4():
		return errors.New("icmpv6 wants two IPv6 addresses")
	}
	return nil
}
