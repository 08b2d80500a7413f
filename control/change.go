package control

import (
	"encoding/json"
	"net/netip"
)

// RemoteChange is a VTEP that frames of a VNI are flooded to, as the verbs add and del
// take it.
type RemoteChange struct {
	VNI       uint32     `json:"vni"`                  // of the bridge domain
	Address   netip.Addr `json:"address"`              // of the VTEP
	Port      uint16     `json:"port,omitempty"`       // UDP port of packets to it; 0: the gateway's
	RemoteVNI uint32     `json:"remote_vni,omitempty"` // VNI in their headers; 0: the VNI's own
}

// PortChange is an interface that is a port of a VNI. The verb del finds the VNI by
// itself.
type PortChange struct {
	VNI  uint32 `json:"vni,omitempty"` // of the bridge domain
	Name string `json:"name"`          // of the interface
	// Isolated keeps it from other such ports of the VNI; for the verb add.
	Isolated bool   `json:"isolated,omitempty"`
	VLAN     string `json:"vlan,omitempty"` // as in a file: keep, strip or drop, or which VLAN of a trunk it is
	TPID     string `json:"tpid,omitempty"` // likewise, for the verb add
}

// AllowChange is a network of VTEPs that may send to a VNI, as the verbs add and del of remote/allow take
// it.
type AllowChange struct {
	VNI uint32 `json:"vni"` // of the bridge domain
	Who string `json:"who"` // an address, one with its prefix length, or remotes
}

// VNIName is what verbs take that are about a VNI and nothing else.
type VNIName struct {
	VNI uint32 `json:"vni"` // of the bridge domain
}

// VNIRange is what the verb del of VNIs takes: one, or all from one to another.
type VNIRange struct {
	VNI  uint32 `json:"vni"`            // the first
	Last uint32 `json:"last,omitempty"` // 0: no other
}

// Done is what the verbs answer that have nothing to tell.
type Done struct{}

// Clash is a refusal because of what is there already.
type Clash string

func (c Clash) Error() string        { return string(c) }
func (c Clash) Is(target error) bool { return target == ErrExists }

// Missing is a refusal because of what is not there.
type Missing string

func (m Missing) Error() string        { return string(m) }
func (m Missing) Is(target error) bool { return target == ErrNotFound }

// vniRoutes are those of gw vni.
func vniRoutes() []Route {
	return []Route{
		get("/vni", "Lists the VNIs in force, as elements of the list `vnis` of a file.", func(g Gateway) ([]json.RawMessage, error) {
			return g.VNIs(), nil
		}),
		verb("/vni/add", "Adds a VNI, which the body describes as an element of `vnis` in a file, or a range of them.",
			`{"vni": 43, "remotes": ["10.65.132.188"], "device": {"addresses": ["172.17.43.2/24"]}}`, Gateway.AddVNI),
		verb("/vni/set", "Gives a VNI other settings: the body has `vni` and those that are to be others.",
			`{"vni": 43, "tunnel": {"ttl": "inherit"}}`, Gateway.SetVNI),
		verb("/vni/del", "Removes a VNI, with its device, or all from one to another, or none of them.", `{"vni": 43}`, Gateway.DeleteVNIs),
	}
}

// remoteRoutes are those of gw remote.
func remoteRoutes() []Route {
	return []Route{
		verb("/remote/add", "Has frames of a VNI flooded to one more VTEP.", `{"vni": 42, "address": "10.65.132.189"}`, Gateway.AddRemote),
		verb("/remote/del", "Has them flooded to one VTEP less.", `{"vni": 42, "address": "10.65.132.189"}`, Gateway.DeleteRemote),
		verb("/remote/allow/add", "Lets one more VTEP or network send to a VNI. The first one keeps all others from it.",
			`{"vni": 42, "who": "10.65.134.0/24"}`, Gateway.AddAllowed),
		verb("/remote/allow/del", "Lets one less send. The last one stays: that is what off is for.", `{"vni": 42, "who": "10.65.133.0/24"}`, Gateway.DeleteAllowed),
		verb("/remote/allow/off", "Lets anyone send to a VNI.", `{"vni": 42}`, Gateway.AllowAnyone),
	}
}

// portRoutes are those of gw port.
func portRoutes() []Route {
	return []Route{
		verb("/port/add", "Takes an interface, or a VLAN of one, as a port of a VNI.", `{"vni": 42, "name": "veth1"}`, Gateway.AddPort),
		verb("/port/del", "Gives an interface back, or a VLAN of it.", `{"name": "veth1"}`, Gateway.DeletePort),
	}
}
