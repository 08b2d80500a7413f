package config

// Storm is how many frames of a class a VNI floods at most in a second, counted as they
// are received: those of its ports for themselves, and those of tunnels. 0 is no limit.
type Storm struct {
	// Broadcast is for frames to ff:ff:ff:ff:ff:ff. Default 0.
	Broadcast uint32 `yaml:"broadcast" json:"broadcast"`
	// Unknown is for frames to a unicast address that the FDB does not have. Default 0.
	Unknown uint32 `yaml:"unknown" json:"unknown"`
	// Multicast is for frames to any other group address. Default 0.
	Multicast uint32 `yaml:"multicast" json:"multicast"`
}
