package config

// kernelWords says what has the same effect with the kernel's own devices. Every setting
// is here; those that the kernel has nothing like have no words.
var kernelWords = map[string]string{
	"Config.Underlay":  "",
	"Config.Tunnel":    "",
	"Config.Remotes":   "`bridge fdb append 00:00:00:00:00:00 dev vxlan0 dst ADDRESS`",
	"Config.Dataplane": "",
	"Config.VNIs":      "`ip link add vxlan0 type vxlan`",
	"Config.Metrics":   "",
	"Config.Control":   "",
	"Config.Log":       "",

	"Underlay.Iface":   "`ip link`: `dev`",
	"Underlay.Local":   "`ip link`: `local`",
	"Underlay.Local6":  "`ip link`: `local`",
	"Underlay.DstPort": "`ip link`: `dstport`",
	"Underlay.Mode":    "",

	"Dataplane.Workers": "",
	"Dataplane.Frames":  "",
	"Dataplane.Poll":    "",
	"Dataplane.CPUs":    "`/proc/irq/*/smp_affinity`",

	"Tunnel.TTL":            "`ip link`: `ttl`",
	"Tunnel.TOS":            "`ip link`: `tos`; its default is 0",
	"Tunnel.DF":             "`ip link`: `df`",
	"Tunnel.UDPCsum":        "`ip link`: `udpcsum`; its default is on",
	"Tunnel.UDP6ZeroCsumTx": "`ip link`: `udp6zerocsumtx`",
	"Tunnel.UDP6ZeroCsumRx": "`ip link`: `udp6zerocsumrx`",
	"Tunnel.FlowLabel":      "`ip link`: `flowlabel`",
	"Tunnel.UDPCsumRx":      "verified, always",
	"Tunnel.ReservedBits":   "`ip link`: `reserved_bits` (Linux 6.14); its default is strict",
	"Tunnel.SrcPort":        "`ip link`: `srcport`; its default is `ip_local_port_range`",

	"VNI.VNI":              "`ip link`: `id`",
	"VNI.Group":            "`ip link`: `group`",
	"VNI.Remotes":          "`ip link`: `remote`, or `bridge fdb append 00:00:00:00:00:00 dev vxlan0 dst ADDRESS`",
	"VNI.Device":           "the vxlan device, or the bridge that it is in",
	"VNI.Ports":            "`ip link set veth1 master br0`",
	"VNI.Learning":         "`ip link`: `learning`",
	"VNI.Ageing":           "`ip link`: `ageing`",
	"VNI.MaxAddress":       "`ip link`: `maxaddress`; its default is no limit",
	"VNI.Flood":            "`bridge link`: `flood`, per port",
	"VNI.BcastFlood":       "`bridge link`: `bcast_flood`, per port",
	"VNI.MCastFlood":       "`bridge link`: `mcast_flood`, per port",
	"VNI.Storm":            "",
	"VNI.Moves":            "",
	"VNI.NeighSuppress":    "`bridge link`: `neigh_suppress`",
	"VNI.NeighForwardGrat": "`bridge link`: `neigh_forward_grat`; its default is off",
	"VNI.NeighAgeing":      "",
	"VNI.MaxNeigh":         "",
	"VNI.Allow":            "",
	"VNI.Neigh":            "`ip neigh add`",
	"VNI.FDB":              "`bridge fdb add`",
	"VNI.Tunnel":           "",

	"Device.Name":      "the device's name",
	"Device.Addresses": "`ip address add`",

	"Port.Name":     "the port's name",
	"Port.Isolated": "`bridge link`: `isolated`",
	"Port.VLAN":     "`bridge vlan add vid VLAN tunnel_info id VNI`",
	"Port.TPID":     "`ip link`: `vlan_protocol`, of the whole bridge",

	"Neighbour.IP":     "`ip neigh add ADDRESS`",
	"Neighbour.MAC":    "`ip neigh`: `lladdr`",
	"Neighbour.VLAN":   "the VLAN device that the entry is at",
	"Neighbour.Router": "`ip neigh`: `router`",

	"Storm.Broadcast": "",
	"Storm.Unknown":   "",
	"Storm.Multicast": "",

	"Moves.Limit":  "",
	"Moves.Within": "",
	"Moves.Freeze": "",

	"Remote.Dst":  "`bridge fdb`: `dst`",
	"Remote.Port": "`bridge fdb`: `port`",
	"Remote.VNI":  "`bridge fdb`: `vni`",

	"staticSettings.MAC":  "`bridge fdb add MAC`",
	"staticSettings.Dst":  "`bridge fdb`: `dst`",
	"staticSettings.Port": "`bridge fdb add MAC dev veth1 master static`; `port`",
	"staticSettings.VNI":  "`bridge fdb`: `vni`",

	"Metrics.Listen": "",
	"Control.Path":   "",
	"Log.Format":     "",
	"Log.Level":      "",
}
