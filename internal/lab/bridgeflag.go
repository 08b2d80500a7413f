package lab

import (
	"fmt"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// BridgeFlag is an option of a port of a kernel bridge, by the attribute that stands for it.
type BridgeFlag int

// The options, called as `bridge link set dev PORT` calls them.
const (
	Flood      BridgeFlag = nl.IFLA_BRPORT_UNICAST_FLOOD
	McastFlood BridgeFlag = nl.IFLA_BRPORT_MCAST_FLOOD
	BcastFlood BridgeFlag = nl.IFLA_BRPORT_BCAST_FLOOD
	Isolated   BridgeFlag = nl.IFLA_BRPORT_ISOLATED

	NeighSuppress BridgeFlag = nl.IFLA_BRPORT_NEIGH_SUPPRESS
)

// SetBridgeFlag switches an option of a link that is a port of a kernel bridge.
func (h *Host) SetBridgeFlag(link string, flag BridgeFlag, on bool) error {
	value := []byte{0}
	if on {
		value[0] = 1
	}
	return h.change(link, fmt.Sprintf("set bridge port option %d of", flag), func(l netlink.Link) error {
		req := nl.NewNetlinkRequest(unix.RTM_SETLINK, unix.NLM_F_ACK)
		to := nl.NewIfInfomsg(unix.AF_BRIDGE)
		to.Index = int32(l.Attrs().Index)
		req.AddData(to)
		info := nl.NewRtAttr(unix.IFLA_PROTINFO|unix.NLA_F_NESTED, nil)
		info.AddRtAttr(int(flag), value)
		req.AddData(info)
		return h.Do(func() error {
			_, err := req.Execute(unix.NETLINK_ROUTE, 0)
			return err
		})
	})
}
