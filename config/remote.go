package config

import "net/netip"

// BadRemote says why a cannot be the address of a remote of the gateway that has
// the address local, with the cure, or returns "".
func BadRemote(a, local netip.Addr) string { return badRemote(a, local) }
