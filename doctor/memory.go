package doctor

import "fmt"

var memoryChecks = []Check{
	{"memory.available", "Whether there is room for the frame memory, all of which is taken at the start.", "`dataplane: {frames: N}`, fewer queues, or more memory", "docs/operations.md", memoryAvailable},
	{"memory.huge", "Whether the frame memory gets huge pages, reserved ones or transparent ones: with small pages translating addresses takes a good part of a packet's time.",
		"`echo madvise > /sys/kernel/mm/transparent_hugepage/enabled`, or `sysctl -w vm.nr_hugepages=N`", "ring/mapping.go, Documentation/admin-guide/mm/transhuge.rst", memoryHuge},
}

func memoryAvailable(f *facts, n *notes) {
	have, ok := seen(n, f.memory.available, "how much memory is free")
	if !ok || f.Running != nil {
		return // which has taken it
	}
	need := f.frameMemory()
	if have < need {
		n.fail("free some, or give gw fewer frames: dataplane: {frames: N}", "%s of memory are available, and frames take %s", size(have), size(need))
		return
	}
	n.ok("%s of memory are available, and frames take %s", size(have), size(need))
}

const hugePage = 2 << 20

func memoryHuge(f *facts, n *notes) {
	if f.Running != nil {
		switch kind := f.Running.Memory.Pages; kind {
		case "":
		default:
			n.ok("the frame memory has huge pages (%s)", kind)
			return
		}
	}
	pages := (f.frameMemory() + hugePage - 1) / hugePage
	if f.memory.reserved >= pages && f.Running == nil {
		n.ok("%d reserved huge pages are free, and frames take %d", f.memory.reserved, pages)
		return
	}
	thp, ok := seen(n, f.memory.thp, "transparent huge pages")
	reserve := fmt.Sprintf("sysctl -w vm.nr_hugepages=%d", pages)
	switch {
	case !ok:
	case thp == "never":
		n.warn("echo madvise > /sys/kernel/mm/transparent_hugepage/enabled, or: "+reserve, "transparent huge pages are never given, and %d are reserved of the %d that frames take", f.memory.reserved, pages)
	case f.Running != nil:
		n.warn(reserve+", then start gw again", "the frame memory has no huge pages, although the kernel gives transparent ones (%s): memory was in pieces", thp)
	default:
		n.ok("transparent huge pages are given (%s)", thp)
	}
}
