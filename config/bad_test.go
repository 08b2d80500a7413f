package config

import (
	"errors"
	"strings"
	"testing"
)

// bad holds what a file can have wrong and the one line that is said about it.
var bad = []struct{ text, want string }{
	// Syntax and shape.
	{"", "f: the file is empty"},
	{"# nothing\n", "f: the file is empty"},
	{"- 1\n", "f:1: the file is a list, not a mapping of settings"},
	{"underlay: {iface: u}\n---\nvnis: []\n", "f: more than one document (leave one, without a second ---)"},
	{"underlay: {iface: u, iface: v}\n", `f:1: bad YAML: mapping key "iface" already defined at [1:12]`},
	{"underlay: &a {iface: u}\n", "f:1: underlay: anchors, aliases and tags are not supported (write the value out)"},
	{"underlay: 7\n", "f:1: underlay is a number, not a mapping of settings"},
	{"underlay:\n  iface: ens18\n  dst_port: 4789\n", `f:3: unknown key "dst_port" in underlay (did you mean dstport?)`},
	{"underlay:\n  iface: ens18\nvni: 42\n", `f:3: unknown key "vni" (did you mean vnis?)`},
	{"underlay: {iface: u, colour: red}\n", `f:1: unknown key "colour" in underlay (known: iface, local, local6, dstport, mode)`},
	{"underlay: {1: u}\n", "f:1: underlay: a key is a number, not a plain word"},
	{"vnis:\n  - vni: 1\n    prots: [a]\n", `f:3: unknown key "prots" in vnis[0] (did you mean ports?)`},
	{"tunnel: {udp6zerocsumtx: 1}\n", "f:1: tunnel.udp6zerocsumtx is a number, not true or false"},
	{"tunnel: {flowlabel: 0x100000}\n", `f:1: tunnel.flowlabel: "0x100000" is not a flow label (give 0-0xfffff, inherit or auto)`},
	{"tunnel: {flowlabel: yes}\n", `f:1: tunnel.flowlabel: "yes" is not a flow label (give 0-0xfffff, inherit or auto)`},

	// Kinds of values.
	{"underlay: {iface: 7}\n", "f:1: underlay.iface is a number, not a word (put it in quotes)"},
	{"underlay: {iface: }\n", "f:1: underlay.iface has no value (leave the key out for the default)"},
	{"underlay: {iface: u, dstport: '4789'}\n", "f:1: underlay.dstport is text, not a whole number"},
	{"underlay: {iface: u, dstport: 65536}\n", `f:1: underlay.dstport: "65536" is out of range (0-65535)`},
	{"underlay: {iface: u, dstport: -1}\n", `f:1: underlay.dstport: "-1" is out of range (0-65535)`},
	{"underlay: {iface: u, dstport: 4.5}\n", "f:1: underlay.dstport is a number, not a whole number"},
	{"underlay: {iface: u, local: ens18}\n", `f:1: underlay.local: "ens18" is not an IP address (give one like 10.65.132.188)`},
	{"underlay: {iface: u, local: [a]}\n", "f:1: underlay.local is a list, not a word"},
	{"tunnel: {udpcsum: 1}\n", "f:1: tunnel.udpcsum is a number, not true or false"},
	{"tunnel: {ttl: 0}\n", `f:1: tunnel.ttl: "0" is not a TTL (give 1-255, auto or inherit)`},
	{"tunnel: {ttl: 256}\n", `f:1: tunnel.ttl: "256" is not a TTL (give 1-255, auto or inherit)`},
	{"tunnel: {reserved_bits: none}\n", `f:1: tunnel.reserved_bits: "none" is no set of reserved bits (give ignore, strict or a mask like 0xf7ffffff000000ff)`},
	{"tunnel: {reserved_bits: 0x1ffffffffffffffff}\n", `f:1: tunnel.reserved_bits: "0x1ffffffffffffffff" is no set of reserved bits (give ignore, strict or a mask like 0xf7ffffff000000ff)`},
	{"tunnel: {tos: 256}\n", `f:1: tunnel.tos: "256" is not a TOS (give 0-255 or inherit)`},
	{"tunnel: {srcport: [1]}\n", "f:1: tunnel.srcport has 1 values, not 2"},
	{"tunnel: {srcport: 5000-6000}\n", "f:1: tunnel.srcport is text, not a list (write [a, b])"},
	{"vnis: [{vni: 1, ageing: 300}]\n", "f:1: vnis[0].ageing: 300 has no unit (give 300s for seconds)"},
	{"vnis: [{vni: 1, ageing: long}]\n", `f:1: vnis[0].ageing: "long" is not a duration (give one like 300s or 5m)`},
	{"vnis: [{vni: 1, ports: [{name: a, vlan: 4095}]}]\n", `f:1: vnis[0].ports[0].vlan: "4095" is no VLAN (give 1-4094, untagged, keep, strip or drop)`},
	{"vnis: [{vni: 1, ports: [{name: a, vlan: 0}]}]\n", `f:1: vnis[0].ports[0].vlan: "0" is no VLAN (give 1-4094, untagged, keep, strip or drop)`},
	{"vnis: [{vni: 1, ports: [{name: a, vlan: -1}]}]\n", `f:1: vnis[0].ports[0].vlan: "-1" is no VLAN (give 1-4094, untagged, keep, strip or drop)`},
	{"vnis: [{vni: 1, ports: [{name: a, vlan: trunk}]}]\n", `f:1: vnis[0].ports[0].vlan: "trunk" is no VLAN (give 1-4094, untagged, keep, strip or drop)`},
	{"vnis: [{vni: 1, ports: [{name: a, vlan: [1]}]}]\n", "f:1: vnis[0].ports[0].vlan is a list, not a word"},
	{"vnis: [{vni: 1, ports: [{name: a, vlan: 5, tpid: 0x9100}]}]\n", `f:1: vnis[0].ports[0].tpid: "0x9100" is no kind of tag (give 802.1Q or 802.1ad)`},
	{"vnis: [{vni: 1, ports: [[a]]}]\n", "f:1: vnis[0].ports[0] is a list, not a port (give its name, or {name: veth1, vlan: 100})"},
	{"vnis: [{vni: 1, ports: [{name: a, isolated: 1}]}]\n", "f:1: vnis[0].ports[0].isolated is a number, not true or false"},
	{"vnis: [{vni: 1, ports: [{nme: a}]}]\n", `f:1: unknown key "nme" in vnis[0].ports[0] (did you mean name?)`},
	{"vnis: [{vni: 1, flood: {broadcast: false}}]\n", "f:1: vnis[0].flood is a mapping, not true or false"},
	{"vnis: [{vni: 1, bcast_flod: false}]\n", `f:1: unknown key "bcast_flod" in vnis[0] (did you mean bcast_flood?)`},
	{"vnis: [{vni: 1, storm: 100}]\n", "f:1: vnis[0].storm is a number, not a mapping of settings"},
	{"vnis: [{vni: 1, storm: {broadcast: -1}}]\n", `f:1: vnis[0].storm.broadcast: "-1" is out of range (0-4294967295)`},
	{"vnis: [{vni: 1, storm: {broadcast: 100pps}}]\n", "f:1: vnis[0].storm.broadcast is text, not a whole number"},
	{"vnis: [{vni: 1, storm: {unicast: 1}}]\n", `f:1: unknown key "unicast" in vnis[0].storm (known: broadcast, unknown, multicast)`},
	{"vnis: [{vni: 1, device: {addresses: [172.17.1.2]}}]\n", `f:1: vnis[0].device.addresses[0]: "172.17.1.2" has no prefix length (give one like 172.17.1.2/24)`},
	{"vnis: [{vni: 1, device: {addresses: ['fe80::1%ens18/64']}}]\n", `f:1: vnis[0].device.addresses[0]: "fe80::1%ens18/64" is not an address with its prefix length (give one like 172.17.1.2/24)`},
	{"vnis: [{vni: 1, device: {addresses: [x]}}]\n", `f:1: vnis[0].device.addresses[0]: "x" is not an address with its prefix length (give one like 172.17.1.2/24)`},
	{"vnis: [{vni: 1, fdb: [{mac: '02:57:a7:1c:00'}]}]\n", `f:1: vnis[0].fdb[0].mac: "02:57:a7:1c:00" is not a MAC address (give one like 02:57:a7:1c:00:01)`},
	{"vnis: [{vni: 1, fdb: [{mac: '02:57:a7:1c:00:zz'}]}]\n", `f:1: vnis[0].fdb[0].mac: "02:57:a7:1c:00:zz" is not a MAC address (give one like 02:57:a7:1c:00:01)`},

	// Rules over the underlay.
	{"vnis: [{vni: 1}]\n", "f: no underlay interface is given (add --iface, or underlay.iface)"},
	{"underlay: {iface: a/b}\n", `f:1: underlay interface "a/b" is no interface name (no /, :, %, blanks or unprintable bytes)`},
	{"underlay: {iface: abcdefghijklmnop}\n", `f:1: underlay interface "abcdefghijklmnop" is longer than 15 bytes (no interface can be called that)`},
	{"underlay: {iface: u, local: 224.1.1.1}\n", "f:1: local 224.1.1.1 is multicast (give it as group)"},
	{"underlay: {iface: u, local: 2001:db8::1, local6: 2001:db8::2}\n", "f:1: local 2001:db8::1 and local6 2001:db8::2 are both IPv6 (give one of them)"},
	{"underlay: {iface: u, local6: 10.0.0.1}\n", "f:1: local6 10.0.0.1 is IPv4 (give it as local)"},
	{"underlay: {iface: u, local: ::1}\n", "f:1: local ::1 is a loopback address (give one the network can reach)"},
	{"underlay: {iface: u, local: 'fe80::1%v'}\n", "f:1: local fe80::1%v is on the link of v, and the underlay is u (give fe80::1)"},
	{"underlay: {iface: u, local: '::ffff:10.0.0.1'}\n", "f:1: local ::ffff:10.0.0.1 is IPv4 written as IPv6 (give 10.0.0.1)"},
	{"underlay: {iface: u, dstport: 0}\n", "f:1: dstport 0 is no UDP port (give 1-65535; the usual one is 4789)"},
	{"underlay: {iface: u, mode: native}\n", `f:1: underlay.mode: "native" is unknown (give auto, zerocopy, copy, generic)`},
	{"underlay: {iface: u}\ntunnel: {srcport: [9, 8]}\n", "f:2: tunnel: srcport [9, 8] ends before it begins (give [8, 9])"},
	{"underlay: {iface: u}\ntunnel: {srcport: [0, 8]}\n", "f:2: tunnel: srcport begins at 0, which is no UDP port (give one like [49152, 65535])"},
	{"underlay: {iface: u}\ntunnel: {udpcsumrx: on}\n", `f:2: tunnel.udpcsumrx: "on" is unknown (give verify, ignore)`},
	{"underlay: {iface: u}\ntunnel: {reserved_bits: 0x0800000000000001}\n", "f:2: tunnel: reserved_bits 0x800000000000001 has 0x800000000000000, which hold the flags and the VNI (give ignore, strict or bits of 0xf7ffffff000000ff)"},
	{"underlay: {iface: u}\ntunnel: {df: maybe}\n", `f:2: tunnel.df: "maybe" is unknown (give unset, set, inherit)`},
	{"underlay: {iface: u}\ndataplane: {workers: 257}\n", "f:2: 257 workers are out of range (give 1-256, or 0 to leave it to gw)"},
	{"underlay: {iface: u}\ndataplane: {framesize: 3000}\n", "f:2: framesize 3000 is no size of frames (give a power of two, 4096-65536, or 0 to leave it to gw)"},
	{"underlay: {iface: u}\ndataplane: {framesize: 131072}\n", "f:2: framesize 131072 is no size of frames (give a power of two, 4096-65536, or 0 to leave it to gw)"},
	{"underlay: {iface: u}\ndataplane: {frames: 16777216, framesize: 8192}\n", "f:2: 16777216 frames of 8192 bytes are more than 64 GiB (give fewer)"},
	{"underlay: {iface: u}\ndataplane: {frames: 100}\n", "f:2: 100 frames are out of range (give 4096-16777216, or 0 to leave it to gw)"},
	{"underlay: {iface: u, local: 10.9.9.9}\nremotes: [10.9.9.9]\nvnis: [{vni: 1}]\n", "f:2: remote 10.9.9.9 is the local address (give the address of another VTEP)"},
	{"underlay: {iface: u}\nremotes:\n- 10.0.0.1\n- 10.0.0.1\nvnis: [{vni: 1}]\n", "f:4: remote 10.0.0.1 is given twice (leave one out)"},
	{"underlay: {iface: u}\n", "f: no vni is given (add --vni, or a list under vnis)"},
	{"underlay: {iface: u}\nvnis: [{vni: 1}]\nmetrics: {listen: 9478}\n", "f:3: metrics.listen is a number, not a word (put it in quotes)"},
	{"underlay: {iface: u}\nvnis: [{vni: 1}]\nmetrics: {listen: localhost}\n", `f:3: metrics.listen: "localhost" is not address:port (give one like 127.0.0.1:9478, or nothing for no metrics)`},
	{"underlay: {iface: u}\nvnis: [{vni: 1}]\ncontrol: {path: gw.sock}\n", `f:3: control.path: "gw.sock" is not absolute (give one like /run/gw/ens18.sock)`},
	{"underlay: {iface: u}\nvnis: [{vni: 1}]\nlog: {format: xml}\n", `f:3: log.format: "xml" is unknown (give auto, text, json)`},
	{"underlay: {iface: u}\nvnis: [{vni: 1}]\nlog: {level: loud}\n", `f:3: log.level: "loud" is unknown (give debug, info, warn, error)`},
}

// badVNI is the same for what stands in the list of vnis, from line 2 on.
var badVNI = []struct{ text, want string }{
	{"[{vni: 0}]", "f:2: vni 0 is out of range (give 1-16777215)"},
	{"[{vni: 16777216}]", "f:2: vni 16777216 is out of range (give 1-16777215)"},
	{"\n- vni: 1\n- vni: 1\n", "f:4: vni 1 is given twice (join the two, or renumber one)"},
	{"[{vni: 1, group: 10.0.0.1}]", "f:2: vni 1: group 10.0.0.1 is not multicast (give one like 224.1.1.1, or give it as remote)"},
	{"[{vni: 1, group: 224.0.0.5}]", "f:2: vni 1: group 224.0.0.5 is in 224.0.0.0/24, which is for protocols of one link and never forwarded (give one like 224.1.1.1)"},
	{"[{vni: 1, group: 'ff01::99'}]", "f:2: vni 1: group ff01::99 is of one interface, which no packet leaves (give one like ff02::100 for a link, or ff05::100)"},
	{"[{vni: 1, group: 'ff02::1'}]", "f:2: vni 1: group ff02::1 is a group that every host or router is in (give one like ff05::100)"},
	{"[{vni: 1, group: 'ff02::1:ff00:7'}]", "f:2: vni 1: group ff02::1:ff00:7 is a group that every host or router is in (give one like ff05::100)"},
	{"[{vni: 1, group: 'ff02::99%v'}]", "f:2: vni 1: group ff02::99%v is on the link of v, and the underlay is u (give ff02::99)"},
	{"\n- vni: 1\n  remotes:\n    - 10.0.0.1\n    - 224.1.1.1\n", "f:6: vni 1: remote 224.1.1.1 is multicast (give it as group)"},
	{"[{vni: 1, remotes: [0.0.0.0]}]", "f:2: vni 1: remote 0.0.0.0 is the unspecified address (give the address of a VTEP)"},
	{"[{vni: 1, remotes: ['']}]", "f:2: vni 1: remote invalid IP is no address (give one like 10.65.132.188)"},
	{"[{vni: 1, remotes: [127.0.0.1]}]", "f:2: vni 1: remote 127.0.0.1 is a loopback address (give one the network can reach)"},
	{"[{vni: 1, remotes: [255.255.255.255]}]", "f:2: vni 1: remote 255.255.255.255 is the broadcast address (give the address of a VTEP)"},
	{"[{vni: 1, remotes: [0.1.2.3]}]", "f:2: vni 1: remote 0.1.2.3 is in a reserved block, 0.0.0.0/8 or 240.0.0.0/4 (give the address of a VTEP)"},
	{"[{vni: 1, remotes: [240.0.0.1]}]", "f:2: vni 1: remote 240.0.0.1 is in a reserved block, 0.0.0.0/8 or 240.0.0.0/4 (give the address of a VTEP)"},
	{"[{vni: 1, remotes: ['::1']}]", "f:2: vni 1: remote ::1 is a loopback address (give one the network can reach)"},
	{"[{vni: 1, remotes: ['fe80::2', 'fe80::2%u']}]", "f:2: vni 1: remote fe80::2 is given twice (leave one out)"},
	{"[{vni: 1, remotes: ['fe80::2%v']}]", "f:2: vni 1: remote fe80::2%v is on the link of v, and the underlay is u (give fe80::2)"},
	{"[{vni: 1, remotes: ['2001:db8::2%u']}]", "f:2: vni 1: remote 2001:db8::2%u has a zone, which only link-local addresses have (give 2001:db8::2)"},
	{"[{vni: 1, remotes: [10.9.9.9]}]", "f:2: vni 1: remote 10.9.9.9 is the local address (give the address of another VTEP)"},
	{"[{vni: 1, remotes: [10.0.0.1, 10.0.0.1]}]", "f:2: vni 1: remote 10.0.0.1 is given twice (leave one out)"},
	{"[{vni: 1, device: {name: abcdefghijklmn}}]", `f:2: vni 1: device "abcdefghijklmn" is longer than 13 bytes (the far end is called <name>-x; choose a shorter name)`},
	{"[{vni: 1, device: {name: 'a b'}}]", `f:2: vni 1: device "a b" is no interface name (no /, :, %, blanks or unprintable bytes)`},
	{"[{vni: 1, device: {name: ..}}]", `f:2: vni 1: device ".." is no interface name (no /, :, %, blanks or unprintable bytes)`},
	{"[{vni: 1, device: {name: all}}]", "f:2: vni 1: device \"all\" is a name that the kernel keeps for itself, below /proc/sys/net/ipv4/conf (choose another name)"},
	{"[{vni: 1, device: {name: u}}]", "f:2: vni 1: device u needs the name u, which is the underlay (choose another name)"},
	{"[{vni: 1, device: {name: d}}, {vni: 2, device: {name: d}}]", "f:2: vni 2: device d needs the name d, which is the device of vni 1 (choose another name)"},
	{"[{vni: 1, ports: [d-x]}, {vni: 2, device: {name: d}}]", "f:2: vni 2: device d needs the name d-x, which is a port of vni 1 (choose another name)"},
	{"[{vni: 1, device: {addresses: [10.1.1.1/24, 10.1.1.1/16]}}]", "f:2: vni 1: address 10.1.1.1 is given twice (leave one out)"},
	{"[{vni: 1, device: {addresses: [224.1.1.1/24]}}]", "f:2: vni 1: address 224.1.1.1/24 is no address of a host (give one like 172.17.1.2/24)"},
	{"[{vni: 1, device: {addresses: ['::ffff:10.1.1.1/120']}}]", "f:2: vni 1: address ::ffff:10.1.1.1/120 is IPv4 written as IPv6 (give 10.1.1.1)"},
	{"[{vni: 1, ports: [u]}]", "f:2: vni 1: port u is the underlay already (an interface has one use)"},
	{"[{vni: 1, ports: [a, a]}]", "f:2: vni 1: port a is a port of vni 1 already (an interface has one use)"},
	{"[{vni: 1, ports: [a]}, {vni: 2, ports: [a]}]", "f:2: vni 2: port a is a port of vni 1 already (an interface has one use)"},
	{"[{vni: 1, ports: [a, {name: a, isolated: true}]}]", "f:2: vni 1: port a is a port of vni 1 already (an interface has one use)"},
	{"[{vni: 1, ports: [a, {name: a, vlan: 5}]}]", "f:2: vni 1: port a is given twice (a VNI has one VLAN of a trunk: frames would be flooded from one into the other)"},
	{"[{vni: 1, ports: [{name: a, vlan: 5}, {name: a, vlan: 6}]}]", "f:2: vni 1: port a is given twice (a VNI has one VLAN of a trunk: frames would be flooded from one into the other)"},
	{"[{vni: 1, ports: [a]}, {vni: 2, ports: [{name: a, vlan: 5}]}]", "f:2: vni 2: port a is a port of vni 1 already (an interface has one use, or is a trunk everywhere: a vlan of its own in each VNI)"},
	{"[{vni: 1, ports: [{name: a, vlan: 5}]}, {vni: 2, ports: [a]}]", "f:2: vni 2: port a is a trunk already (an interface has one use)"},
	{"[{vni: 1, ports: [{name: a, vlan: 5}]}, {vni: 2, ports: [{name: a, vlan: drop}]}]", "f:2: vni 2: port a is a trunk already (an interface has one use)"},
	{"[{vni: 1, ports: [{name: a, vlan: 5}]}, {vni: 2, ports: [{name: a, vlan: 5}]}]", "f:2: vni 2: port a: vlan 5 is that of vni 1 already (a VLAN has one VNI)"},
	{"[{vni: 1, ports: [{name: a, vlan: untagged}]}, {vni: 2, ports: [{name: a, vlan: untagged}]}]", "f:2: vni 2: port a: vlan untagged is that of vni 1 already (a VLAN has one VNI)"},
	{"[{vni: 1, ports: [{name: a, vlan: 5}]}, {vni: 2, ports: [{name: a, vlan: 6, tpid: 802.1ad}]}]", "f:2: vni 2: port a has tpid 802.1ad here and 802.1Q elsewhere (a trunk has one kind of tag)"},
	{"[{vni: 1, ports: [{name: u, vlan: 5}]}]", "f:2: vni 1: port u is the underlay already (an interface has one use, or is a trunk everywhere: a vlan of its own in each VNI)"},
	{"[{vni: 1, ports: [{name: a, vlan: strip, tpid: 802.1ad}]}]", "f:2: vni 1: port a: tpid is for a VLAN of a trunk (give a number, or untagged, as vlan; or leave tpid out)"},
	{"[{vni: 1, ports: [{name: d, vlan: 5}]}, {vni: 2, device: {name: d}}]", "f:2: vni 2: device d needs the name d, which is a trunk (choose another name)"},
	{"[{vni: 1, ports: [{isolated: true}]}]", `f:2: vni 1: port "" has no name`},
	{"[{vni: 1, moves: {limit: 5, within: 0s}}]", "f:2: vni 1: moves: within 0s is out of range (give whole seconds, at least 1s)"},
	{"[{vni: 1, moves: {within: 1500ms}}]", "f:2: vni 1: moves: within 1.5s is out of range (give whole seconds, at least 1s)"},
	{"[{vni: 1, moves: {freeze: -1s}}]", "f:2: vni 1: moves: freeze -1s is out of range (give whole seconds)"},
	{"[{vni: 1, neigh_ageing: 1500ms}]", "f:2: vni 1: neigh_ageing 1.5s is out of range (give whole seconds like 300s, or 0s for never)"},
	{"[{vni: 1, neigh_ageing: -1s}]", "f:2: vni 1: neigh_ageing -1s is out of range (give whole seconds like 300s, or 0s for never)"},
	{"[{vni: 1, neigh: [{ip: 10.0.0.1, mac: '02:00:00:00:00:01'}]}]", "f:2: vni 1: nothing uses neigh entries without neigh_suppress (say neigh_suppress: true, or leave them out)"},
	{"[{vni: 1, neigh_suppress: true, neigh: [{mac: '02:00:00:00:00:01'}]}]", "f:2: vni 1: neigh entry lacks an address (give ip)"},
	{"[{vni: 1, neigh_suppress: true, neigh: [{ip: 10.0.0.1}]}]", "f:2: vni 1: neigh entry 10.0.0.1: 00:00:00:00:00:00 is not a unicast address (give mac)"},
	{"[{vni: 1, neigh_suppress: true, neigh: [{ip: 10.0.0.1, mac: '03:00:00:00:00:01'}]}]", "f:2: vni 1: neigh entry 10.0.0.1: 03:00:00:00:00:01 is not a unicast address (give mac)"},
	{"[{vni: 1, neigh_suppress: true, neigh: [{ip: 224.0.0.1, mac: '02:00:00:00:00:01'}]}]", "f:2: vni 1: neigh entry 224.0.0.1 is no address of a host (give a unicast one)"},
	{"[{vni: 1, neigh_suppress: true, neigh: [{ip: 'fe80::1%ens18', mac: '02:00:00:00:00:01'}]}]", "f:2: vni 1: neigh entry fe80::1%ens18 has a zone (leave %ens18 out)"},
	{"[{vni: 1, neigh_suppress: true, neigh: [{ip: '::ffff:10.0.0.1', mac: '02:00:00:00:00:01'}]}]", "f:2: vni 1: neigh entry ::ffff:10.0.0.1 is an IPv4 address in IPv6 form (give 10.0.0.1)"},
	{"[{vni: 1, neigh_suppress: true, neigh: [{ip: 10.0.0.1, mac: '02:00:00:00:00:01', vlan: 4095}]}]", "f:2: vni 1: neigh entry 10.0.0.1: vlan 4095 is out of range (give 1-4094, or leave it out)"},
	{"[{vni: 1, neigh_suppress: true, neigh: [{ip: 10.0.0.1, mac: '02:00:00:00:00:01'}, {ip: 10.0.0.1, mac: '02:00:00:00:00:02'}]}]", "f:2: vni 1: neigh entry 10.0.0.1 is given twice (leave one out)"},
	{"[{vni: 1, moves: {freeze: 1000000h}}]", "f:2: vni 1: moves: freeze 1000000h0m0s is out of range (give whole seconds)"},
	{"[{vni: 1, ports: ['']}]", `f:2: vni 1: port "" has no name`},
	{"[{vni: 1, ageing: -1s}]", "f:2: vni 1: ageing is negative (give one like 300s, or 0s for never)"},
	{"[{vni: 1, fdb: [{mac: '01:00:5e:00:00:01', dst: 10.0.0.1}]}]", "f:2: vni 1: fdb entry 01:00:5e:00:00:01 is not a unicast address (to flood to a VTEP, list it under remotes)"},
	{"[{vni: 1, fdb: [{mac: '02:00:00:00:00:01'}]}]", "f:2: vni 1: fdb entry 02:00:00:00:00:01 needs either dst or port"},
	{"[{vni: 1, fdb: [{mac: '02:00:00:00:00:01', dst: 10.0.0.1, port: gw1}]}]", `f:2: vnis[0].fdb[0]: port "gw1" is no UDP port (give 1-65535; a local port goes without dst)`},
	{"[{vni: 1, fdb: [{mac: '02:00:00:00:00:01', dst: 10.0.0.1, port: 65536}]}]", `f:2: vnis[0].fdb[0]: port "65536" is no UDP port (give 1-65535; a local port goes without dst)`},
	{"[{vni: 1, fdb: [{mac: '02:00:00:00:00:01', dst: 10.0.0.1, vni: 16777216}]}]", "f:2: vni 1: fdb entry 02:00:00:00:00:01: vni 16777216 is out of range (give 1-16777215, or leave it out for that of the bridge domain)"},
	{"[{vni: 1, fdb: [{mac: '02:00:00:00:00:01', port: gw1, vni: 7}]}]", "f:2: vni 1: fdb entry 02:00:00:00:00:01: vni goes with dst (leave it out)"},
	{"[{vni: 1, remotes: [{dst: 10.0.0.1, vni: 16777216}]}]", "f:2: vni 1: remote 10.0.0.1: vni 16777216 is out of range (give 1-16777215, or leave it out for that of the bridge domain)"},
	{"[{vni: 1, remotes: [{dst: 10.0.0.1, port: 65536}]}]", `f:2: vnis[0].remotes[0].port: "65536" is out of range (0-65535)`},
	{"[{vni: 1, remotes: [{port: 7}]}]", "f:2: vni 1: remote invalid IP is no address (give one like 10.65.132.188)"},
	{"[{vni: 1, remotes: [10.0.0.1, {dst: 10.0.0.1, port: 4789}]}]", "f:2: vni 1: remote 10.0.0.1 is given twice (leave one out)"},
	{"[{vni: 1, remotes: [{dst: 10.0.0.1, port: 7}, {dst: 10.0.0.1, port: 7}]}]", "f:2: vni 1: remote 10.0.0.1 port 7 is given twice (leave one out)"},
	{"[{vni: 1, allow: []}]", "f:2: allow is empty, so nobody could send (list VTEPs, or leave it out for anyone)"},
	{"[{vni: 1, remotes: [2001:db8::2]}]", `f:2: vnis[0].remotes[0]: 2001:db8::2 wants quotes between braces (write "2001:db8::2")`},
	{"[{vni: 1, remotes: [fe80::2]}]", `f:2: vnis[0].remotes[0]: fe80::2 wants quotes between braces (write "fe80::2")`},
	{"[{vni: 1, allow: [2001:db8::/32]}]", `f:2: vnis[0].allow[0]: 2001:db8::/32 wants quotes between braces (write "2001:db8::/32")`},
	{"[{vni: 1, allow: }]", "f:2: vnis[0].allow has no value, so anyone could send (list VTEPs, or leave the key out for anyone)"},
	{"[{vni: 1, allow: [remote]}]", `f:2: vnis[0].allow[0]: "remote" is neither an address nor a network nor the word remotes (give one like 10.65.132.188 or 10.65.132.0/24)`},
	{"[{vni: 1, allow: 10.0.0.1/8}]", "f:2: vnis[0].allow: 10.0.0.1/8 has bits behind its prefix (give 10.0.0.0/8)"},
	{"[{vni: 1, allow: ['::ffff:10.0.0.0/104']}]", "f:2: vnis[0].allow[0]: ::ffff:10.0.0.0/104 is IPv4 written as IPv6 (give it as IPv4)"},
	{"[{vni: 1, allow: {a: b}}]", "f:2: vnis[0].allow is a mapping, not a word"},
	{"[{vni: 1, allow: ['::/0']}]", "f:2: vni 1: allow: ::/0 has all of IPv4 in it too, mapped into IPv6 (give networks such as 2000::/3)"},
	{"[{vni: 1, allow: ['fe80::1%u']}]", `f:2: vnis[0].allow[0]: "fe80::1%u" has a zone, which can only be the underlay (give fe80::1)`},
	{"[{vni: 1, remotes: ['2001:db8::1'], allow: ['2001:db9::/32', 10.0.0.0/8]}]", "f:2: vni 1: remote 2001:db8::1 may not send: allow leaves it out (add it there, or the word remotes)"},
	{"[{vni: 1, allow: [224.1.0.0/16]}]", "f:2: vni 1: allow: 224.1.0.0/16 is multicast, and no VTEP sends from there (give the addresses of VTEPs)"},
	{"[{vni: 1, allow: [127.0.0.1]}]", "f:2: vni 1: allow: 127.0.0.1 is a loopback address (give one the network can reach)"},
	{"[{vni: 1, allow: [10.0.0.1, 10.0.0.1/32]}]", "f:2: vni 1: allow has 10.0.0.1 twice (leave one out)"},
	{"[{vni: 1, remotes: [10.0.1.1, 10.0.0.1], allow: [10.0.0.0/24, 10.0.1.1]}, {vni: 2, remotes: [10.0.2.1], allow: [10.0.0.0/24]}]", "f:2: vni 2: remote 10.0.2.1 may not send: allow leaves it out (add it there, or the word remotes)"},
	{"[{vni: 1, allow: [10.0.0.0/24], fdb: [{mac: '02:00:00:00:00:01', dst: 10.0.1.1}]}]", "f:2: vni 1: fdb entry 02:00:00:00:00:01: dst 10.0.1.1 may not send: allow leaves it out (add it there, or the word remotes)"},
	{"[{vni: 1, allow: remotes, group: 224.1.1.1}]", "f:2: vni 1: allow: remotes names nobody where a group is flooded to (list addresses or networks)"},
	{"[{vni: 1, remotes: [[10.0.0.1]]}]", "f:2: vnis[0].remotes[0] is a list, not a remote (give its address, or {dst: 10.65.132.188, port: 8472, vni: 100})"},
	{"[{vni: 1, fdb: [{mac: '02:00:00:00:00:01', dst: 224.1.1.1}]}]", "f:2: vni 1: fdb entry 02:00:00:00:00:01: dst 224.1.1.1 is multicast (give it as group)"},
	{"[{vni: 1, fdb: [{mac: '02:00:00:00:00:01', port: b}]}]", `f:2: vni 1: fdb entry 02:00:00:00:00:01: port "b" is no port of this vni (add it to ports)`},
	{"[{vni: 1, fdb: [{mac: '02:00:00:00:00:01', port: gw1}, {mac: '02:00:00:00:00:01', port: gw1}]}]", "f:2: vni 1: fdb entry 02:00:00:00:00:01 is given twice (leave one out)"},
	{"[{vni: 1, tunnel: {srcport: [9, 8]}}]", "f:2: vni 1: srcport [9, 8] ends before it begins (give [8, 9])"},
}

func TestParseBad(t *testing.T) {
	cases := bad
	for _, c := range badVNI {
		c.text = "underlay: {iface: u, local: 10.9.9.9}\nvnis: " + c.text
		cases = append(cases, c)
	}
	for _, c := range cases {
		got, err := Parse([]byte(c.text), "f")
		if got != nil || err == nil {
			t.Errorf("accepted, want %q:\n%s", c.want, c.text)
			continue
		}
		if err.Error() != c.want {
			t.Errorf("got  %s\nwant %s", err, c.want)
		}
		if e := (*Error)(nil); !errors.As(err, &e) {
			t.Errorf("%q is a %T, not an *Error", err, err)
		}
	}
}

// A broken file must be told in one line too, whatever the parser prints.
func TestParseSyntax(t *testing.T) {
	for _, text := range []string{"underlay: {iface: u\n", "a:\n\t- b\n", "a: [1, 2\nb: 3\n", "\x00", "? {"} {
		_, err := Parse([]byte(text), "f")
		if err == nil {
			t.Errorf("%q was accepted", text)
		} else if strings.ContainsAny(err.Error(), "\n\r") || !strings.HasPrefix(err.Error(), "f:") {
			t.Errorf("%q: not one line with its place: %q", text, err)
		}
	}
}
