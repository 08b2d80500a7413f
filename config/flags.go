package config

import (
	"encoding/json"
	"fmt"
	"math"
	"net/netip"
)

// Flags are the settings of the command line, as text where the program can
// say more about a slip than the flag library. Begin with DefaultFlags.
type Flags struct {
	Iface, Local string
	Local6       string
	VNIs         []uint
	DstPort      uint
	Remotes      []string
	Allow        []string // who may send
	Group        string
	Ports        []string
	Device       string
	NoDevice     bool
	Addresses    []string       // for the device, with prefix length
	MTU          uint           // of the device; 0: what the underlay leaves
	Tunnel       map[string]any // by their keys in a file
	Mode         string
	Workers      uint // 0: as many as fit
	Poll         string
	CPUs         string // empty: left to gw
	Metrics      string // empty: none
	Control      string // empty: the default path
	ControlGroup string // empty: that of the process
	LogFormat    string
	LogLevel     string
}

// DefaultFlags returns the flags that give Default.
func DefaultFlags() Flags {
	c := Default()
	return Flags{
		DstPort:   uint(c.Underlay.DstPort),
		Mode:      string(c.Underlay.Mode),
		Poll:      string(c.Dataplane.Poll),
		Metrics:   c.Metrics.Listen,
		LogFormat: c.Log.Format,
		LogLevel:  c.Log.Level,
	}
}

// FromFlags returns the Config that a file with the same settings would give.
// With one VNI the flags describe it all. With several, the remotes or the
// group hold for each of them and each gets its own device; what belongs to
// one of them only needs a file. All errors are of type *Error.
func FromFlags(f Flags) (*Config, error) {
	c := Default()
	c.Underlay.Iface = f.Iface
	c.Underlay.Mode = Mode(f.Mode)
	c.Dataplane.Workers = uint32(min(f.Workers, math.MaxUint32))
	c.Dataplane.Poll = Poll(f.Poll)
	if err := unmarshal(&c.Dataplane.CPUs, f.CPUs); err != nil {
		return nil, flagError("--cpus: %v", err)
	}
	c.Metrics.Listen = f.Metrics
	c.Control = Control{Path: f.Control, Group: f.ControlGroup}
	c.Log = Log{Format: f.LogFormat, Level: f.LogLevel}
	if f.DstPort > 65535 {
		return nil, flagError("--dstport %d is out of range (give 1-65535; the usual one is 4789)", f.DstPort)
	}
	c.Underlay.DstPort = uint16(f.DstPort)
	if len(f.Tunnel) > 0 {
		if err := c.Tunnel.take(f.Tunnel); err != nil {
			return nil, err
		}
	}
	if f.Local != "" {
		if err := unmarshal(&c.Underlay.Local, f.Local); err != nil {
			return nil, flagError("--local: %v", err)
		}
	}
	if f.Local6 != "" {
		if err := unmarshal(&c.Underlay.Local6, f.Local6); err != nil {
			return nil, flagError("--local6: %v", err)
		}
	}
	if f.NoDevice && (f.Device != "" || len(f.Addresses) > 0 || f.MTU > 0) {
		return nil, flagError("--no-device does not go with --device, --address and --mtu (leave it out)")
	}
	if len(f.VNIs) > 1 && (len(f.Ports) > 0 || f.Device != "" || len(f.Addresses) > 0) {
		return nil, flagError("--port, --device and --address go with one --vni (describe several in a file: --config)")
	}
	for _, n := range f.VNIs {
		v, err := f.vni(&c, n)
		if err != nil {
			return nil, err
		}
		c.VNIs = append(c.VNIs, v)
	}
	if err := c.Validate(); err != nil {
		return nil, err
	}
	return &c, nil
}

// vni builds bridge domain n.
func (f *Flags) vni(c *Config, n uint) (VNI, error) {
	if n > MaxVNI {
		return VNI{}, flagError("vni %d is out of range (give 1-%d)", n, MaxVNI)
	}
	v := c.NewVNI(uint32(n))
	if f.Group != "" {
		if err := unmarshal(&v.Group, f.Group); err != nil {
			return VNI{}, flagError("--group: %v", err)
		}
	}
	for _, s := range f.Remotes {
		var a netip.Addr
		if err := unmarshal(&a, s); err != nil {
			return VNI{}, flagError("--remote: %v", err)
		}
		v.Remotes = append(v.Remotes, Remote{Dst: a})
	}
	for _, s := range f.Allow {
		a, err := ParseAllowed(s)
		if err != nil {
			return VNI{}, flagError("--allow: %v", err)
		}
		v.Allow = append(v.Allow, a)
	}
	for _, s := range f.Ports {
		p, err := ParsePort(s)
		if err != nil {
			return VNI{}, flagError("--port: %v", err)
		}
		v.Ports = append(v.Ports, p)
	}
	if f.Device != "" {
		v.Device = &Device{Name: f.Device}
	}
	v.complete(f.NoDevice, true)
	if f.MTU > 0 {
		if v.Device == nil {
			return VNI{}, flagError("--mtu %d needs a device (add --device %s)", f.MTU, v.DomainName())
		}
		v.Device.MTU = uint32(min(f.MTU, math.MaxUint32))
	}
	for _, s := range f.Addresses {
		if v.Device == nil {
			return VNI{}, flagError("--address %s needs a device (add --device %s)", s, v.DomainName())
		}
		var p netip.Prefix
		if err := unmarshal(&p, s); err != nil {
			return VNI{}, flagError("--address: %v", err)
		}
		v.Device.Addresses = append(v.Device.Addresses, p)
	}
	return v, nil
}

// take reads settings of a tunnel section onto t.
func (t *Tunnel) take(settings map[string]any) error {
	text, err := json.Marshal(settings)
	if err != nil {
		return &Error{Problem: err.Error()}
	}
	return onto("tunnel", text, t)
}

func flagError(format string, args ...any) error {
	return &Error{Problem: fmt.Sprintf(format, args...)}
}
