package bpf

import (
	"errors"
	"fmt"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"vxgw/internal/ethtool"
)

func TestAttachDetach(t *testing.T) {
	for _, tt := range []struct {
		mode Mode
		kind uint32
	}{
		{Native, nl.XDP_ATTACHED_DRV},
		{Generic, nl.XDP_ATTACHED_SKB},
	} {
		t.Run(tt.mode.String(), func(t *testing.T) {
			newNamespace(t)
			a := pair(t, 1, 1)
			p := newPort(t)
			for _, off := range []func() error{p.Detach, p.Detach, p.Close} {
				if p.link == nil {
					if err := p.Attach(a.Attrs().Index, "a", tt.mode); err != nil {
						t.Fatal(err)
					}
				}
				xdp := device(t, "a").Attrs().Xdp
				if !xdp.Attached || xdp.AttachMode != tt.kind {
					t.Errorf("attached as %+v, want kind %d", xdp, tt.kind)
				}
				wantError(t, p.Attach(a.Attrs().Index, "a", tt.mode), nil, "attached to a already")
				if err := off(); err != nil {
					t.Error(err)
				}
				if id := attached(t, "a"); id != 0 {
					t.Errorf("program %d is left", id)
				}
			}
		})
	}
}

// TestSteersFrames sends real frames from the peer and counts them.
func TestSteersFrames(t *testing.T) {
	for _, mode := range []Mode{Native, Generic} {
		t.Run(mode.String(), func(t *testing.T) {
			newNamespace(t)
			a := pair(t, 1, 1)
			u := newUnderlay(t)
			if err := u.Attach(a.Attrs().Index, "a", mode); err != nil {
				t.Fatal(err)
			}
			const frames = 10
			send(t, "b", good(), frames)
			for patience := 5000; ; patience-- {
				c, err := u.Counters()
				if err != nil {
					t.Fatal(err)
				}
				if c.Redirected != 0 || c.NoSocket > frames || patience == 0 {
					t.Fatalf("counters %+v after %d frames of ours", c, frames)
				}
				if c.NoSocket == frames {
					break
				}
				time.Sleep(time.Millisecond) // receiving is asynchronous
			}
		})
	}
}

// send puts a frame on an interface n times.
func send(t testing.TB, name string, frame []byte, n int) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	for range n {
		if err := unix.Sendto(fd, frame, 0, &unix.SockaddrLinklayer{Ifindex: device(t, name).Attrs().Index}); err != nil {
			t.Fatal(err)
		}
	}
}

// foreign loads somebody else's program.
func foreign(t testing.TB) *ebpf.Program {
	t.Helper()
	prog, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Name: "theirs", Type: ebpf.XDP, License: "GPL",
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, xdpPass), asm.Return()},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { prog.Close() })
	return prog
}

func TestForeignProgram(t *testing.T) {
	for _, tt := range []struct {
		name  string
		flags int // of their program, set with netlink as ip(8) does
		mode  Mode
		cure  string
	}{
		{"native", nl.XDP_FLAGS_DRV_MODE, Native, "ip link set dev a xdp off"},
		{"generic", nl.XDP_FLAGS_SKB_MODE, Generic, "ip link set dev a xdpgeneric off"},
		{"native against generic", nl.XDP_FLAGS_DRV_MODE, Generic, "ip link set dev a xdp off"},
		{"generic against native", nl.XDP_FLAGS_SKB_MODE, Native, "ip link set dev a xdpgeneric off"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			newNamespace(t)
			a := pair(t, 1, 1)
			theirs := foreign(t)
			if err := netlink.LinkSetXdpFdWithFlags(a, theirs.FD(), tt.flags); err != nil {
				t.Fatal(err)
			}
			id := attached(t, "a")
			p := newPort(t)
			err := p.Attach(a.Attrs().Index, "a", tt.mode)
			wantError(t, err, nil, fmt.Sprintf("XDP program %d (theirs) is on a already", id), tt.cure)
			if !errors.Is(err, unix.EBUSY) && !errors.Is(err, unix.EEXIST) {
				t.Errorf("%v is neither EBUSY nor EEXIST", err)
			}
			if now := attached(t, "a"); now != id {
				t.Errorf("program %d is on a now, was %d", now, id)
			}
		})
	}
}

// TestForeignAbove has their program on an interface above ours.
func TestForeignAbove(t *testing.T) {
	newNamespace(t)
	a := pair(t, 1, 1)
	above := &netlink.Macvlan{LinkAttrs: netlink.LinkAttrs{Name: "above", ParentIndex: a.Attrs().Index}, Mode: netlink.MACVLAN_MODE_BRIDGE}
	if err := netlink.LinkAdd(above); err != nil {
		t.Fatal(err)
	}
	if err := netlink.LinkSetXdpFdWithFlags(above, foreign(t).FD(), nl.XDP_FLAGS_SKB_MODE); err != nil {
		t.Fatal(err)
	}
	err := newPort(t).Attach(a.Attrs().Index, "a", Native)
	wantError(t, err, unix.EEXIST, "above, which is on top of it, has an XDP program", "use above, or take that program off")
}

func TestForeignLink(t *testing.T) {
	newNamespace(t)
	a := pair(t, 1, 1)
	first, second := newPort(t), newUnderlay(t)
	if err := first.Attach(a.Attrs().Index, "a", Native); err != nil {
		t.Fatal(err)
	}
	info, err := first.link.Info()
	if err != nil {
		t.Fatal(err)
	}
	err = second.Attach(a.Attrs().Index, "a", Native)
	wantError(t, err, unix.EBUSY, fmt.Sprintf("XDP program %d (port) is on a already", attached(t, "a")),
		fmt.Sprintf("bpftool link detach id %d", info.ID))
}

func TestQueues(t *testing.T) {
	for _, tt := range []struct {
		name   string
		rx, tx int
		away   bool // the peer lives in another namespace
		cure   string
	}{
		{"same namespace", 1, 4, false, "ethtool -L b tx 1 at the peer"},
		{"other namespace", 2, 3, true, "ethtool -L b tx 2 at the peer"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ns := newNamespace(t)
			a := pair(t, tt.rx, tt.tx)
			if tt.away {
				moveAway(t, ns, "b")
			}
			p := newPort(t)
			wantError(t, p.Attach(a.Attrs().Index, "a", Native), unix.ENOSPC,
				fmt.Sprintf("it has %d rx queues, fewer than the %d tx queues of its peer b", tt.rx, tt.tx), tt.cure)
		})
	}
}

// TestQueuesOff has room for the peer's queues, but uses less of it.
func TestQueuesOff(t *testing.T) {
	newNamespace(t)
	a := pair(t, 4, 4)
	ch, err := ethtool.GetChannels("a")
	if err != nil {
		t.Fatal(err)
	}
	ch.Rx = 1
	setChannels(t, "a", ch)
	p := newPort(t)
	wantError(t, p.Attach(a.Attrs().Index, "a", Native), unix.ENOSPC,
		"it has 1 rx queues, fewer than the 4 tx queues of its peer b", "(ethtool -L a rx 4)")
	ch.Rx = 4
	setChannels(t, "a", ch)
	if err := p.Attach(a.Attrs().Index, "a", Native); err != nil {
		t.Errorf("the cure does not help: %v", err)
	}
}

// moveAway puts an interface into a new namespace, which a child process keeps
// as a container would, and comes back to ns.
func moveAway(t *testing.T, ns netns.NsHandle, name string) {
	t.Helper()
	away, err := netns.New()
	if err != nil {
		t.Fatal(err)
	}
	defer away.Close()
	cmd := child(t, "sleep")
	readLine(t, cmd)
	if err := netns.Set(ns); err != nil {
		t.Fatal(err)
	}
	if err := netlink.LinkSetNsFd(device(t, name), int(away)); err != nil {
		t.Fatal(err)
	}
}

func TestRefusals(t *testing.T) {
	newNamespace(t)
	p := newPort(t)
	lo := device(t, "lo").Attrs().Index
	wantError(t, p.Attach(lo, "lo", Native), unix.EOPNOTSUPP, "to lo in native mode", "try generic")
	if err := p.Attach(lo, "lo", Generic); err != nil {
		t.Errorf("generic after native failed: %v", err)
	}
	u := newUnderlay(t)
	a := pair(t, 1, 1)
	if err := netlink.LinkSetMTU(device(t, "b"), 9000); err != nil {
		t.Fatal(err)
	}
	wantError(t, u.Attach(a.Attrs().Index, "a", Native), unix.ERANGE, "MTU")
	wantError(t, u.Attach(9999, "gone", Native), nil, "attach XDP program underlay to gone in native mode")
	wantError(t, u.Attach(0, "zero", Native), nil, "to zero")
}

func TestInterfaceGone(t *testing.T) {
	newNamespace(t)
	a := pair(t, 1, 1)
	p := newPort(t)
	if err := p.Attach(a.Attrs().Index, "a", Native); err != nil {
		t.Fatal(err)
	}
	if err := netlink.LinkDel(a); err != nil {
		t.Fatal(err)
	}
	if err := p.Detach(); err != nil {
		t.Error(err)
	}
	a = pair(t, 1, 1)
	if err := p.Attach(a.Attrs().Index, "a", Native); err != nil {
		t.Errorf("attach to the new interface: %v", err)
	}
}

func TestKilled(t *testing.T) {
	newNamespace(t)
	a := pair(t, 1, 1)
	cmd := child(t, "attach", strconv.Itoa(a.Attrs().Index))
	if line := readLine(t, cmd); line != "attached <nil>" {
		t.Fatal(line)
	}
	if attached(t, "a") == 0 {
		t.Fatal("the child attached no program")
	}
	if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	eventually(t, "its program goes with it", func() bool { return attached(t, "a") == 0 })
}
