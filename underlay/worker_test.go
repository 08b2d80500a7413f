package underlay

import (
	"encoding/binary"
	"errors"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// kernel answers requests like a kernel with one interface and one table of neighbours, on the other end of
// a socket pair, where the real one cannot be brought to do what a test needs.
type kernel struct {
	mu      sync.Mutex // guards all below
	entries map[netip.Addr]neighbour
	managed bool                         // knows the managed mark
	refuse  func(kind uint16) unix.Errno // 0 to go on
	before  func(kind uint16, b []byte)  // seen before it is answered
	dumps   int                          // address dumps to interrupt
	begun   time.Time                    // of the worker's first pass
	down    bool                         // the interface has no carrier
}

func (k *kernel) serve(fd int) {
	buf := make([]byte, bufferSize)
	for {
		n, err := unix.Read(fd, buf)
		if err != nil || n == 0 {
			return
		}
		for m := range messages(buf[:n]) {
			// A late answer to an older request comes first each time.
			old := frame(unix.RTM_NEWNEIGH, 0, make([]byte, unix.SizeofNdMsg))
			_ = unix.Send(fd, old, 0)
			k.mu.Lock()
			answers := k.answer(m)
			k.mu.Unlock()
			for _, b := range answers {
				binary.NativeEndian.PutUint32(b[8:], m.seq)
				_ = unix.Send(fd, b, 0)
			}
		}
	}
}

// with has f look at the kernel, or change it, between two answers.
func (k *kernel) with(f func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	f()
}

// answer returns the datagrams of an answer.
func (k *kernel) answer(m message) [][]byte {
	if k.before != nil {
		k.before(m.kind, m.body)
	}
	refusal := func(e unix.Errno) [][]byte {
		return [][]byte{frame(unix.NLMSG_ERROR, 0, binary.NativeEndian.AppendUint32(nil, uint32(-int32(e))))}
	}
	if k.refuse != nil {
		if e := k.refuse(m.kind); e != 0 {
			return refusal(e)
		}
	}
	s := seeds()
	switch m.kind {
	case unix.RTM_GETLINK:
		if k.down {
			binary.NativeEndian.PutUint32(s["link"][8:], unix.IFF_UP)
		}
		return [][]byte{frame(unix.RTM_NEWLINK, 0, s["link"])}
	case unix.RTM_GETADDR:
		flags := uint16(unix.NLM_F_MULTI)
		if k.dumps > 0 {
			k.dumps--
			flags |= unix.NLM_F_DUMP_INTR
		}
		return [][]byte{frame(unix.RTM_NEWADDR, flags, s["addr"]), frame(unix.NLMSG_DONE, flags, make([]byte, 4))}
	case unix.RTM_GETROUTE:
		b := make([]byte, unix.SizeofRtMsg)
		b[0], b[7] = unix.AF_INET, unix.RTN_UNICAST
		return [][]byte{frame(unix.RTM_NEWROUTE, 0, b)}
	case unix.RTM_GETNEIGH:
		q, _ := decodeNeighbour(m.body)
		n, ok := k.entries[q.addr]
		if !ok {
			return refusal(unix.ENOENT)
		}
		b := make([]byte, unix.SizeofNdMsg)
		b[0], b[10] = unix.AF_INET, n.flags
		binary.NativeEndian.PutUint32(b[4:], 7)
		binary.NativeEndian.PutUint16(b[8:], n.state)
		b = attribute(b, unix.NDA_DST, n.addr.AsSlice())
		if n.ext != 0 {
			b = attribute32(b, ndaFlagsExt, n.ext)
		}
		return [][]byte{frame(unix.RTM_NEWNEIGH, 0, b)}
	case unix.RTM_NEWNEIGH:
		q, _ := decodeNeighbour(m.body)
		n, ok := k.entries[q.addr]
		switch create := m.flags&unix.NLM_F_CREATE != 0; {
		case ok && create:
			return refusal(unix.EEXIST)
		case !ok && !create:
			return refusal(unix.ENOENT)
		case !ok:
			n = neighbour{addr: q.addr, state: unix.NUD_INCOMPLETE}
		}
		if n.flags = q.flags &^ unix.NTF_USE; k.managed {
			n.ext = q.ext
		}
		k.entries[q.addr] = n
		return refusal(0)
	}
	return refusal(unix.EOPNOTSUPP)
}

var testRemote = netip.MustParseAddr("10.0.0.3")

// worker returns a worker on this kernel which watches testRemote and has made its first pass.
func (k *kernel) worker(t *testing.T) *worker {
	t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if k.entries == nil {
		k.entries = map[netip.Addr]neighbour{}
	}
	ended := make(chan struct{})
	go func() { k.serve(pair[1]); close(ended) }()
	t.Cleanup(func() { unix.Close(pair[0]); <-ended; unix.Close(pair[1]) })
	m := newMirror(Config{Ifindex: 7, Name: "ens18", Local: netip.MustParseAddr("10.0.0.2"), Log: slog.New(slog.DiscardHandler)})
	w := newWorker(m, &conn{fd: pair[0], in: make([]byte, bufferSize)}, false)
	if w.link, err = w.conn.readLink(7, m.uses, Link{Name: "ens18"}); err != nil {
		t.Fatal(err)
	}
	watch(t, m, testRemote.String())
	k.begun = time.Now()
	w.pass(k.begun)
	return w
}

func TestKernelWithoutManagedNeighbours(t *testing.T) {
	k := &kernel{}
	w := k.worker(t)
	if !w.plain || len(w.m.Managed()) != 0 {
		t.Fatalf("plain %v, marks %v", w.plain, w.m.Managed())
	}
	asks := w.m.Stats().Asks
	// While the entry is being resolved nothing is asked; once it is stale, the next sweep asks.
	w.pass(time.Now().Add(sweepGap))
	if got := w.m.Stats().Asks; got != asks {
		t.Errorf("asked %d times for an entry that is being resolved", got-asks)
	}
	k.with(func() { k.entries[testRemote] = neighbour{addr: testRemote, state: unix.NUD_STALE} })
	w.pass(time.Now().Add(2 * sweepGap))
	if got := w.m.Stats().Asks; got != asks+1 {
		t.Errorf("asked %d times for a stale entry, want once", got-asks)
	}
}

func TestKernelWithManagedNeighbours(t *testing.T) {
	k := &kernel{managed: true}
	w := k.worker(t)
	if w.plain || !w.proven || !slices.Equal(w.m.Managed(), []netip.Addr{testRemote}) {
		t.Fatalf("plain %v, proven %v, marks %v", w.plain, w.proven, w.m.Managed())
	}
	before := w.m.Stats()
	w.pass(time.Now().Add(sweepGap))
	if after := w.m.Stats(); after.Routes != before.Routes+1 || after.Hops != before.Hops || after.Asks != before.Asks {
		t.Errorf("a sweep made of %+v %+v, want one more route lookup", before, after)
	}
}

func TestFullTableIsToldAndTriedAgain(t *testing.T) {
	full := unix.ENOBUFS
	k := &kernel{managed: true, refuse: func(kind uint16) unix.Errno {
		if kind == unix.RTM_NEWNEIGH {
			return full
		}
		return 0
	}}
	w := k.worker(t)
	p, _ := w.m.Path(testRemote)
	if p.State != Resolving || !strings.Contains(p.Reason, "gc_thresh") {
		t.Errorf("path %+v does not name the cure", p)
	}
	if w.alarm.IsZero() {
		t.Error("no pass is due")
	}
	w.pass(k.begun) // too early
	if asks := w.m.Stats().Asks; asks != 1 {
		t.Errorf("asked %d times within %v", asks, askGap)
	}
	k.with(func() { full = 0 })
	w.pass(time.Now().Add(askGap))
	p, _ = w.m.Path(testRemote)
	if p.State != Resolving || !strings.HasPrefix(p.Reason, "waiting for") || len(w.m.Managed()) != 1 {
		t.Errorf("after room was made: %+v, marks %v", p, w.m.Managed())
	}
}

func TestEntryThatComesOrGoesBetween(t *testing.T) {
	for _, present := range []bool{false, true} {
		k := &kernel{managed: true, entries: map[netip.Addr]neighbour{}}
		stale := neighbour{addr: testRemote, state: unix.NUD_STALE, flags: unix.NTF_EXT_LEARNED}
		if present {
			k.entries[testRemote] = stale
		}
		once := true
		k.before = func(kind uint16, _ []byte) {
			if kind != unix.RTM_NEWNEIGH || !once {
				return
			}
			once = false
			if present {
				delete(k.entries, testRemote)
			} else {
				k.entries[testRemote] = stale
			}
		}
		w := k.worker(t)
		var n neighbour
		k.with(func() { n = k.entries[testRemote] })
		if n.ext != ntfExtManaged || (n.flags == unix.NTF_EXT_LEARNED) == present || len(w.m.Managed()) != 1 {
			t.Errorf("present before %v: entry %+v, marks %v", present, n, w.m.Managed())
		}
	}
}

func TestPermanentThatAppearsBetweenIsLeft(t *testing.T) {
	k := &kernel{managed: true}
	permanent := neighbour{addr: testRemote, state: unix.NUD_PERMANENT}
	k.before = func(kind uint16, _ []byte) {
		if kind == unix.RTM_NEWNEIGH {
			k.entries[testRemote] = permanent
		}
	}
	w := k.worker(t)
	k.with(func() {
		if k.entries[testRemote] != permanent || len(w.m.Managed()) != 0 {
			t.Errorf("entry %+v, marks %v", k.entries[testRemote], w.m.Managed())
		}
	})
}

func TestInterruptedDumpIsReadAgain(t *testing.T) {
	k := &kernel{managed: true}
	w := k.worker(t)
	k.with(func() { k.dumps = dumpTries - 1 })
	if list, err := w.conn.addresses(unix.AF_INET, 7); err != nil || len(list) != 1 {
		t.Errorf("addresses %+v, %v", list, err)
	}
	k.with(func() { k.dumps = dumpTries })
	if _, err := w.conn.addresses(unix.AF_INET, 7); !errors.Is(err, errInterrupted) {
		t.Errorf("endless interruption: %v", err)
	}
	// A link that cannot be read stays as it was, and is read again.
	k.with(func() { k.dumps, k.down = dumpTries, true })
	w.m.todo.link = true
	w.pass(time.Now())
	if link := w.m.Link(); !link.Up || !w.m.todo.link || w.alarm.IsZero() {
		t.Errorf("link %+v, due %v at %v", link, w.m.todo.link, w.alarm)
	}
	w.pass(time.Now().Add(askGap))
	if p, _ := w.m.Path(testRemote); p.State != LinkDown || w.m.Link().Up {
		t.Errorf("path %+v, link %+v", p, w.m.Link())
	}
}
