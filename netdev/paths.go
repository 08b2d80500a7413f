package netdev

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// Paths are the files of the gateway on one underlay interface.
type Paths struct {
	Socket string // of the API
	State  string // the journal
	Lock   string // held while a gateway runs
	// Handover is a socket, while a gateway waits for what another one hands over.
	Handover string
}

// runDir is made 0755 by whoever writes into it first.
const runDir = "/run/gw"

// PathsFor returns the files for an underlay interface. In a network namespace
// other than that of pid 1 its inode stands before the name, since two
// namespaces may each have an eth0 and share /run.
func PathsFor(iface string) Paths {
	return pathsIn(runDir, iface, foreign(), inode("/proc/thread-self/ns/net"))
}

// foreign says whether this thread's namespace is not that of pid 1. Reading
// /proc/1/ns/net takes all of pid 1's capabilities; the inodes of what stands
// under net, one set per namespace (fs/proc/proc_net.c), tell everybody.
func foreign() bool {
	first, ours := inode("/proc/1/net/dev"), inode("/proc/thread-self/net/dev")
	return first != 0 && ours != 0 && first != ours
}

func pathsIn(dir, iface string, foreign bool, inode uint64) Paths {
	base := filepath.Join(dir, iface)
	if foreign {
		base = filepath.Join(dir, fmt.Sprintf("%d-%s", inode, iface))
	}
	return Paths{Socket: base + ".sock", State: base + ".state", Lock: base + ".lock", Handover: base + ".handover"}
}

// inode returns the inode of a file, or 0 where it cannot be had.
func inode(path string) uint64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0
	}
	return st.Ino
}
