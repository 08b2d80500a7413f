package control

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
)

// RemoteChange is a VTEP that frames of a VNI are flooded to, as the verbs add and del
// take it.
type RemoteChange struct {
	VNI     uint32     `json:"vni"`
	Address netip.Addr `json:"address"`
	// Port and RemoteVNI are those of packets to it; 0: the gateway's and the VNI's own.
	Port      uint16 `json:"port,omitempty"`
	RemoteVNI uint32 `json:"remote_vni,omitempty"`
}

// PortChange is an interface that is a port of a VNI. The verb del finds the VNI by
// itself.
type PortChange struct {
	VNI  uint32 `json:"vni,omitempty"`
	Name string `json:"name"`
	// Isolated keeps it from other such ports of the VNI; for the verb add.
	Isolated bool `json:"isolated,omitempty"`
	// VLAN and TPID are what a file says of a port by these names.
	VLAN string `json:"vlan,omitempty"`
	TPID string `json:"tpid,omitempty"` // for the verb add
}

// AllowChange is a network of VTEPs that may send to a VNI, as the verbs add and del of remote/allow take
// it.
type AllowChange struct {
	VNI uint32 `json:"vni"`
	Who string `json:"who"` // an address, one with its prefix length, or remotes
}

// VNIName is what the verb del of VNIs takes.
type VNIName struct {
	VNI uint32 `json:"vni"`
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

// changes answers the verbs of VNIs, remotes and ports: POST /v1/{what}/{verb}.
//
//	vni/add     a VNI as an element of the list vnis of a file
//	vni/set     the same, with vni and the keys that are to be others
//	vni/del     VNIName
//	remote/add  RemoteChange; remote/del the same
//	port/add    PortChange; port/del the same
//
// GET /v1/vni answers the VNIs in force, as elements of such a list.
func changes(mux *http.ServeMux, g Gateway) {
	mux.HandleFunc("GET /v1/vni", func(w http.ResponseWriter, _ *http.Request) { answer(w, g.VNIs()) })
	verb(mux, "vni/add", func(v json.RawMessage) error { return g.AddVNI(v) })
	verb(mux, "vni/set", func(v json.RawMessage) error { return g.SetVNI(v) })
	verb(mux, "vni/del", func(v VNIName) error { return g.DeleteVNI(v.VNI) })
	verb(mux, "remote/add", g.AddRemote)
	verb(mux, "remote/del", g.DeleteRemote)
	verb(mux, "remote/allow/add", g.AddAllowed)
	verb(mux, "remote/allow/del", g.DeleteAllowed)
	verb(mux, "remote/allow/off", g.AllowAnyone)
	verb(mux, "port/add", g.AddPort)
	verb(mux, "port/del", g.DeletePort)
}

// verb has a request carried out by do.
func verb[T any](mux *http.ServeMux, path string, do func(T) error) {
	mux.HandleFunc("POST /v1/"+path, func(w http.ResponseWriter, r *http.Request) {
		var body T
		if err := read(w, r, &body); err != nil {
			refuse(w, http.StatusBadRequest, fmt.Errorf("%s: %w", path, err))
			return
		}
		if err := do(body); err != nil {
			refuse(w, statusOf(err), err)
			return
		}
		answer(w, Done{})
	})
}
