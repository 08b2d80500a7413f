package netdev

// TellsVLANTag reports whether a native XDP program on an interface can ask the
// driver for the VLAN tag that travels beside a frame (the kfunc
// bpf_xdp_metadata_rx_vlan_tag). Kernels before 6.8, and drivers that do not
// know how, cannot.
func TellsVLANTag(ifindex int) (bool, error) {
	f, err := FeaturesOf(ifindex)
	return f.Metadata&MetadataVLANTag != 0, err
}
