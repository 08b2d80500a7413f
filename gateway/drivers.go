package gateway

import (
	"fmt"
	"log/slog"
)

// driver is what is known of one beyond what it tells itself. docs/operations.md has more of
// it, and where it is from.
type driver struct {
	// dry says that a driver hands out frames that it does not own when the fill ring has run
	// dry and is then filled in part: rings are such that it never does.
	dry bool
	// why is what it means when the driver offers zero-copy and refuses to bind, and cure
	// what helps.
	why, cure string
	// short is below how many packets its receive ring overruns as bursts come.
	short uint32
}

// drivers are known by the names of ethtool -i.
var drivers = map[string]driver{
	// igb_alloc_rx_buffers_zc in drivers/net/ethernet/intel/igb/igb_xsk.c leaves the length of
	// the next descriptor as it was when it gets fewer frames than it wants before the ring's end.
	"igb": {dry: true, short: 1024},
	"igc": {short: 1024},
	// virtnet_xsk_pool_enable in drivers/net/virtio_net.c: without a DMA device it is EINVAL.
	"virtio_net": {
		why:  "most likely the virtual machine's device was made without iommu_platform=on",
		cure: "have it made with iommu_platform=on (QEMU: -device virtio-net-pci,disable-legacy=on,iommu_platform=on; libvirt: <driver iommu='on'/>)",
	},
}

// advise tells of what the driver of an interface is known for and somebody can do something
// about.
func (s *sounding) advise(log *slog.Logger) {
	d := drivers[s.info.Driver]
	if r := s.nicRings; r.Rx > 0 && r.Rx < d.short && r.MaxRx > r.Rx {
		log.Info("the NIC's receive ring is short, and bursts overrun it", "iface", s.info.Name, "driver", s.info.Driver, "packets", r.Rx,
			"cure", fmt.Sprintf("before gw starts: ethtool -G %s rx %d", s.info.Name, min(d.short, r.MaxRx)))
	}
}
