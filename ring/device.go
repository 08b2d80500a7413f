package ring

import (
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// DeviceConfig says how the queues of a device are bound. Ring sizes are in descriptors, powers of two; 0 takes the default.
type DeviceConfig struct {
	Ifindex int    // in the network namespace of the thread that calls Bind
	Name    string // for messages, and to count the queues
	Mode    Mode
	Cure    string // for messages: what may help where zero-copy is refused; default none

	RxSize         uint32 // default 2048
	TxSize         uint32 // default 2048
	FillSize       uint32 // default 4096: more than the rx ring and the NIC's own together, since igb breaks when it runs dry
	CompletionSize uint32 // default as TxSize: with less the kernel stops sending early

	Parts    bool   // packets may be longer than a chunk of the memory: needs Linux 6.6, and a driver that can where it is to be zero-copy
	Headroom uint32 // bytes in front of a received packet, beyond the 256 that XDP keeps; default 0

	// BusyPoll > 0 makes the socket prefer busy polling: the device receives when its owner calls Poll or poll(2), which
	// may spin for so long. The interface also needs napi_defer_hard_irqs and gro_flush_timeout. Default 0: interrupts.
	BusyPoll       time.Duration
	BusyPollBudget int // packets per poll; default 64
}

const (
	defaultRing     = 2048
	defaultFill     = 4096
	defaultBusyPoll = 64
	maxRing         = 1 << 20 // descriptors; the kernel's own bound is memory
	packetHeadroom  = 256     // XDP_PACKET_HEADROOM
)

// Device is one network interface with which the memory is registered as a UMEM of its own. Any goroutine may use it.
type Device struct {
	memory *Memory
	config DeviceConfig

	mu      sync.Mutex
	sockets []*Socket  // bound ones; any of them serves the next to join
	refused unix.Errno // the answer to zero-copy where the bound ones were to be and are not
	closed  bool
}

// Open prepares the memory for use with a device. Nothing is asked of the kernel before Bind.
func (m *Memory) Open(config DeviceConfig) (*Device, error) {
	if m.mapping == nil {
		return nil, fmt.Errorf("open %s: heap or closed memory cannot be registered with a device", config.Name)
	}
	c, err := config.complete(m)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", config.Name, err)
	}
	return &Device{memory: m, config: c}, nil
}

// complete returns the config with its defaults filled in, or what is wrong with it.
func (c DeviceConfig) complete(m *Memory) (DeviceConfig, error) {
	if c.Ifindex < 1 {
		return c, fmt.Errorf("interface index %d: must be positive", c.Ifindex)
	}
	if int(c.Mode) >= len(modeNames) {
		return c, fmt.Errorf("%v: no such mode", c.Mode)
	}
	c.RxSize = orDefault(c.RxSize, defaultRing)
	c.TxSize = orDefault(c.TxSize, defaultRing)
	c.FillSize = orDefault(c.FillSize, defaultFill)
	c.CompletionSize = orDefault(c.CompletionSize, c.TxSize)
	for _, r := range []struct {
		name string
		size uint32
	}{{"rx", c.RxSize}, {"tx", c.TxSize}, {"fill", c.FillSize}, {"completion", c.CompletionSize}} {
		if bits.OnesCount32(r.size) != 1 || r.size > maxRing {
			return c, fmt.Errorf("%s ring of %d descriptors: must be a power of two up to %d", r.name, r.size, maxRing)
		}
	}
	if most := uint32(m.chunk) - packetHeadroom; c.Headroom >= most {
		return c, fmt.Errorf("headroom of %d bytes: must be below %d with frames of %d", c.Headroom, most, m.chunk)
	}
	if c.BusyPoll < 0 || c.BusyPoll > time.Second || c.BusyPollBudget < 0 {
		return c, fmt.Errorf("busy poll %v, budget %d: must be 0 to 1s, and not negative", c.BusyPoll, c.BusyPollBudget)
	}
	if c.BusyPollBudget == 0 {
		c.BusyPollBudget = defaultBusyPoll
	}
	return c, nil
}

func orDefault(n, otherwise uint32) uint32 {
	if n == 0 {
		return otherwise
	}
	return n
}

// Close ends the use of a device whose sockets are closed. It refuses while one is open.
func (d *Device) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if n := len(d.sockets); n > 0 {
		return fmt.Errorf("close %s: %d sockets are open", d.config.Name, n)
	}
	d.closed = true
	return nil
}

var errClosed = errors.New("device is closed")

// leave strikes s from the bound sockets.
func (d *Device) leave(s *Socket) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sockets = slices.DeleteFunc(d.sockets, func(o *Socket) bool { return o == s })
}
