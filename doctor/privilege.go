package doctor

import (
	"fmt"
	"path/filepath"
	"strings"
)

var privilegeChecks = []Check{
	{"privilege.capabilities", "The capabilities of the user that this command runs as: CAP_NET_ADMIN, CAP_NET_RAW, CAP_BPF and CAP_PERFMON must be there, CAP_SYS_NICE keeps latency low.",
		"root, `AmbientCapabilities=` in a unit, or setcap(8)", "capabilities(7)", capabilities},
	{"privilege.memlock", "The limit on locked memory, which counts frame memory once per interface, also on kernels that count BPF elsewhere. CAP_IPC_LOCK lifts it.",
		"`LimitMEMLOCK=infinity` in a unit, `ulimit -l unlimited`, or CAP_IPC_LOCK", "xdp_umem_account_pages in net/xdp/xdp_umem.c", memlock},
	{"privilege.rundir", "Whether lock, journal and API socket can be made in /run/gw.", "`install -d -o USER /run/gw`, or `RuntimeDirectory=gw` in a unit", "docs/operations.md", runDir},
}

func capabilities(f *facts, n *notes) {
	missing, ok := seen(n, f.user.missing, "capabilities")
	switch {
	case !ok:
	case len(missing) > 0:
		n.fail("run gw as root, or grant them: AmbientCapabilities= in the unit, or setcap", "user %d lacks %s", f.user.uid, strings.Join(missing, ", "))
	case !f.user.nice:
		n.warn("grant CAP_SYS_NICE", "user %d lacks CAP_SYS_NICE: on a busy machine workers wait for their turn", f.user.uid)
	default:
		n.ok("user %d has all that gw needs", f.user.uid)
	}
}

func memlock(f *facts, n *notes) {
	limit, ok := seen(n, f.user.memlock, "the limit on locked memory")
	if !ok {
		return
	}
	if f.user.ipcLock || f.user.raise {
		n.ok("locked memory has no limit for user %d", f.user.uid)
		return
	}
	need, of := f.locked()
	if limit < need {
		n.fail("LimitMEMLOCK=infinity in the unit, ulimit -l unlimited, or CAP_IPC_LOCK", "user %d may lock %s of memory, and frames take %s%s", f.user.uid, size(limit), size(need), of)
		return
	}
	n.ok("user %d may lock %s of memory, and frames take %s%s", f.user.uid, size(limit), size(need), of)
}

// leastMemory is the frame memory of a gateway with few queues (gateway/frames.go).
const leastMemory = 64 << 20

// locked is how many bytes count against the limit, and how they come about: the frame memory, once for each interface.
func (f *facts) locked() (bytes uint64, of string) {
	frames := f.frameMemory()
	devices := uint64(max(len(f.ports), 1) + 1) // a device where there is no port
	return devices * frames, fmt.Sprintf(" (%s for each of %d interfaces)", size(frames), devices)
}

// frameMemory is how large it would be, in bytes.
func (f *facts) frameMemory() uint64 {
	if p := f.plan; p.err == nil && p.value.Frames > 0 {
		return uint64(p.value.Frames) * uint64(p.value.FrameSize)
	}
	return leastMemory
}

func size(bytes uint64) string {
	switch {
	case bytes >= 1<<62:
		return "any amount"
	case bytes >= 1<<20:
		return fmt.Sprintf("%d MiB", bytes>>20)
	}
	return fmt.Sprintf("%d KiB", bytes>>10)
}

func runDir(f *facts, n *notes) {
	if err := f.user.runDir; err != nil {
		n.fail(fmt.Sprintf("install -d -o %d %s, or RuntimeDirectory=gw in the unit", f.user.uid, f.user.dir),
			"user %d cannot make files in %s: %v", f.user.uid, f.user.dir, err)
		return
	}
	n.ok("%s is writable", filepath.Clean(f.user.dir))
}
