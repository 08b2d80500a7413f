// Package ethtool asks the kernel for an interface's driver, channels, rings and features, and
// changes them, by the ioctls of linux/ethtool.h. It acts in the network namespace of the
// calling thread. Errors are bare unix.Errno.
//
// It stands here for github.com/safchain/ethtool, which hands the kernel addresses of
// stack variables as plain numbers: when the stack moves in between, the kernel writes
// elsewhere.
package ethtool

import (
	"bytes"
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// Commands and sets of linux/ethtool.h.
const (
	getStrings    = 0x1b
	getSetInfo    = 0x37
	getFeatures   = 0x3a
	setFeatures   = 0x3b
	getChannels   = 0x3c
	setChannels   = 0x3d
	featureNames  = 4  // ETH_SS_FEATURES
	nameSize      = 32 // ETH_GSTRING_LEN
	stringsHeader = 12
	blockHeader   = 8
)

var order = binary.NativeEndian

// Driver returns the name of the driver.
func Driver(iface string) (string, error) {
	fd, err := open()
	if err != nil {
		return "", err
	}
	defer unix.Close(fd)
	info, err := unix.IoctlGetEthtoolDrvinfo(fd, iface)
	if err != nil {
		return "", err
	}
	return text(info.Driver[:]), nil
}

// Channels are the queues of an interface: how many there may be, which SetChannels leaves
// as it is, and how many are in use. Combined ones receive and send.
type Channels struct {
	MaxRx, MaxTx, MaxOther, MaxCombined uint32
	Rx, Tx, Other, Combined             uint32
}

// GetChannels returns the channels of an interface. Not every driver tells.
func GetChannels(iface string) (Channels, error) {
	b, err := channels(iface)
	if err != nil {
		return Channels{}, err
	}
	at := func(i int) uint32 { return order.Uint32(b[4*i:]) }
	return Channels{at(1), at(2), at(3), at(4), at(5), at(6), at(7), at(8)}, nil
}

// SetChannels changes how many channels are in use.
func SetChannels(iface string, c Channels) error {
	b, err := channels(iface)
	if err != nil {
		return err
	}
	order.PutUint32(b, setChannels)
	for i, n := range []uint32{c.Rx, c.Tx, c.Other, c.Combined} {
		order.PutUint32(b[4*(5+i):], n)
	}
	return do(iface, b)
}

// channels is a struct ethtool_channels.
func channels(iface string) ([]byte, error) {
	b := make([]byte, 9*4)
	order.PutUint32(b, getChannels)
	return b, do(iface, b)
}

// State is the state of one feature.
type State struct {
	Active, Requested bool
	Available         bool // it may be changed
}

// Features returns the features of an interface by the kernel's names
// (net/ethtool/common.c).
func Features(iface string) (map[string]State, error) {
	names, err := names(iface)
	if err != nil {
		return nil, err
	}
	const block = 16 // available, requested, active, never changed
	b := blocks(getFeatures, len(names), block)
	if err := do(iface, b); err != nil {
		return nil, err
	}
	out := make(map[string]State, len(names))
	for i, name := range names {
		at := b[blockHeader+i/32*block:]
		set := func(word int) bool { return order.Uint32(at[4*word:])>>(i%32)&1 != 0 }
		if name != "" {
			out[name] = State{Available: set(0), Requested: set(1), Active: set(2)}
		}
	}
	return out, nil
}

// Active returns which features of an interface are on, of all that it has.
func Active(iface string) (map[string]bool, error) {
	state, err := Features(iface)
	if err != nil {
		return nil, err
	}
	active := make(map[string]bool, len(state))
	for name, s := range state {
		active[name] = s.Active
	}
	return active, nil
}

// Change asks for features to be on or off. It is unix.EINVAL if one is unknown; what a
// driver does not do it may leave as it is without an error.
func Change(iface string, want map[string]bool) error {
	names, err := names(iface)
	if err != nil {
		return err
	}
	const block = 8 // valid, requested
	b, found := blocks(setFeatures, len(names), block), 0
	for i, name := range names {
		on, ok := want[name]
		if !ok {
			continue
		}
		found++
		at, bit := b[blockHeader+i/32*block:], uint32(1)<<(i%32)
		order.PutUint32(at, order.Uint32(at)|bit)
		if on {
			order.PutUint32(at[4:], order.Uint32(at[4:])|bit)
		}
	}
	if found < len(want) {
		return unix.EINVAL
	}
	return do(iface, b)
}

// blocks is a request for n features, 32 in a block of so many bytes.
func blocks(command uint32, n, block int) []byte {
	count := (n + 31) / 32
	b := make([]byte, blockHeader+count*block)
	order.PutUint32(b, command)
	order.PutUint32(b[4:], uint32(count))
	return b
}

// names returns the names of features by number.
func names(iface string) ([]string, error) {
	info := make([]byte, 16+4) // struct ethtool_sset_info with one answer
	order.PutUint32(info, getSetInfo)
	order.PutUint64(info[8:], 1<<featureNames)
	if err := do(iface, info); err != nil {
		return nil, err
	}
	n := int(order.Uint32(info[16:]))
	b := make([]byte, stringsHeader+n*nameSize)
	order.PutUint32(b, getStrings)
	order.PutUint32(b[4:], featureNames)
	order.PutUint32(b[8:], uint32(n))
	if err := do(iface, b); err != nil {
		return nil, err
	}
	out := make([]string, n)
	for i := range out {
		out[i] = text(b[stringsHeader+i*nameSize:][:nameSize])
	}
	return out, nil
}

// text is what stands before the first zero byte.
func text(b []byte) string {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return string(b)
}
