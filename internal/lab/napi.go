package lab

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"vxgw/internal/genl"
)

// SetThreaded has the kernel receive on a link in threads of its own, one per queue that has NAPI, or in softirqs on
// whichever CPU it happens. A veth has NAPI while it has an XDP program or GRO; the error is EOPNOTSUPP while it has none.
func (h *Host) SetThreaded(link string, on bool) error {
	value := "0"
	if on {
		value = "1"
	}
	done := make(chan error)
	go func() { // on a thread that ends with the goroutine, and its mounts with it
		runtime.LockOSThread()
		done <- h.Do(func() error {
			if err := mountSys(); err != nil {
				return err
			}
			return os.WriteFile(filepath.Join("/sys/class/net", link, "threaded"), []byte(value), 0)
		})
	}()
	if err := <-done; err != nil {
		return fmt.Errorf("set threaded of %s of %s to %t: %w", link, h.name, on, err)
	}
	return nil
}

// Of the generic netlink family netdev (include/uapi/linux/netdev.h).
const (
	netdevNAPIGet     = 11
	netdevNAPIIfindex = 1 // __u32
	netdevNAPIPID     = 4 // __u32
)

// NAPIThreads returns the numbers of the threads that receive on a link, as /proc has them: none where it has no NAPI
// now or is not threaded. The kernel tells since 6.8.
func (h *Host) NAPIThreads(link string) (threads []int, err error) {
	l, err := h.Link(link)
	if err != nil {
		return nil, err
	}
	err = h.Do(func() error {
		family, err := genl.Family("netdev")
		if err != nil {
			return err
		}
		req := nl.NewNetlinkRequest(family, unix.NLM_F_DUMP)
		req.AddData(genl.Header{netdevNAPIGet, 1})
		req.AddData(nl.NewRtAttr(netdevNAPIIfindex, nl.Uint32Attr(uint32(l.Attrs().Index))))
		answers, err := req.Execute(unix.NETLINK_GENERIC, 0)
		if err != nil {
			return err
		}
		for _, a := range answers {
			attrs, err := nl.ParseRouteAttr(a[nl.SizeofGenlmsg:])
			if err != nil {
				return err
			}
			for _, attr := range attrs {
				if attr.Attr.Type == netdevNAPIPID && len(attr.Value) == 4 {
					threads = append(threads, int(binary.NativeEndian.Uint32(attr.Value)))
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("ask for the NAPI threads of %s of %s (Linux 6.8 tells): %w", link, h.name, err)
	}
	return threads, nil
}
