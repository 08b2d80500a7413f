package gateway

import (
	"fmt"
	"log/slog"
	"strings"

	"vxgw/netdev"
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
	// native is what the driver wants for native XDP, and does not say when it refuses. DEV
	// stands for the interface.
	native string
	// short is below how many packets its receive ring overruns as bursts come.
	short uint32
	// mtu is the largest MTU with native XDP, 0 for none known; lro says that there is none with
	// LRO on, half that half of the queues must be spare.
	mtu       int
	lro, half bool
	// parts says that it switches LRO and hardware GRO off by itself when XDP comes.
	parts bool
	// quiet says that binding a socket zero-copy without an XDP program leaves the queues alone: the driver looks for the
	// program first, or does nothing but map the memory.
	quiet bool
}

// drivers are known by the names of ethtool -i.
var drivers = map[string]driver{
	// igb_alloc_rx_buffers_zc in drivers/net/ethernet/intel/igb/igb_xsk.c leaves the length of
	// the next descriptor as it was when it gets fewer frames than it wants before the ring's end.
	"igb": {dry: true, short: 1024, quiet: true}, // igb_xsk_pool_enable: if igb_xdp_is_enabled
	// igc_xdp_set_prog in drivers/net/ethernet/intel/igc/igc_xdp.c.
	"igc": {short: 1024, mtu: 1500, quiet: true, native: "an MTU of at most 1500: ip link set dev DEV mtu 1500"},
	// virtnet_xsk_pool_enable in drivers/net/virtio_net.c: without a DMA device it is EINVAL;
	// virtnet_xdp_set, there: the host must not merge what is received, or let it be switched off.
	"virtio_net": {
		why:    "most likely the virtual machine's device was made without iommu_platform=on",
		cure:   "have it made with iommu_platform=on (QEMU: -device virtio-net-pci,disable-legacy=on,iommu_platform=on; libvirt: <driver iommu='on'/>)",
		mtu:    3506,
		parts:  true,
		native: "a host that lets it switch offloads off (ctrl_guest_offloads=on), and an MTU of at most 3506",
	},
	// ena_xdp_set in drivers/net/ethernet/amazon/ena/ena_xdp.c.
	"ena": {mtu: 3498, half: true, native: "at most half of its queues, and an MTU of at most 3498: ethtool -L DEV combined N, ip link set dev DEV mtu 3498"},
	// verify_xdp_configuration in drivers/net/ethernet/google/gve/gve_main.c.
	"gve": {mtu: 2032, half: true, native: "as many tx as rx queues and at most half of them, and an MTU of at most 2032: ethtool -L DEV rx N tx N"},
	// netvsc_xdp_set in drivers/net/hyperv/netvsc_bpf.c.
	"hv_netvsc": {mtu: 3506, lro: true, native: "no LRO, and an MTU of at most 3506: ethtool -K DEV lro off"},
	// bnxt_xdp_set in drivers/net/ethernet/broadcom/bnxt/bnxt_xdp.c.
	"bnxt_en": {mtu: 3502, parts: true, native: "combined queues, no header-data split, and an MTU of at most 3502: ethtool -L DEV combined N, ethtool -G DEV tcp-data-split off"},
	// mlx5e_xdp_allowed in drivers/net/ethernet/mellanox/mlx5/core/en_main.c.
	"mlx5_core": {mtu: 3498, lro: true, quiet: true, native: "no LRO, and an MTU of at most 3498: ethtool -K DEV lro off"},
	// ixgbe_xdp_setup in drivers/net/ethernet/intel/ixgbe/ixgbe_main.c.
	"ixgbe": {mtu: 3050, quiet: true, parts: true, native: "no DCB, in older kernels no virtual functions, an MTU of at most 3050, and a machine of at most 128 CPUs"},
	// i40e_xdp_setup in drivers/net/ethernet/intel/i40e/i40e_main.c, i40e_xsk_pool_enable in i40e_xsk.c.
	"i40e": {mtu: 3046, quiet: true, native: "an MTU of at most 3046: ip link set dev DEV mtu 3046"},
	// ice_xsk_pool_setup in drivers/net/ethernet/intel/ice/ice_xsk.c: if ice_is_xdp_ena_vsi.
	"ice": {quiet: true},
	// stmmac_xdp_set_prog in drivers/net/ethernet/stmicro/stmmac/stmmac_xdp.c.
	"stmmac": {mtu: 1500, quiet: true, native: "an MTU of at most 1500: ip link set dev DEV mtu 1500"},
	// mana_xdp_set in drivers/net/ethernet/microsoft/mana/mana_bpf.c.
	"mana": {mtu: 3506, native: "an MTU of at most 3506: ip link set dev DEV mtu 3506"},
}

// wants says what the driver of an interface wants for native XDP, "" if that is not known.
func wants(info netdev.Info) string {
	return strings.ReplaceAll(drivers[info.Driver].native, "DEV", info.Name)
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
