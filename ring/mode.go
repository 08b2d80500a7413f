package ring

import "fmt"

// Mode says how a device is to be bound.
type Mode uint8

const (
	Auto     Mode = iota // zero-copy, else copy
	ZeroCopy             // zero-copy or an error
	Copy                 // copy
	Generic              // copy; the XDP program is attached in SKB mode, which is the caller's to do
)

var modeNames = [...]string{Auto: "auto", ZeroCopy: "zerocopy", Copy: "copy", Generic: "generic"}

// String returns the name that ParseMode takes.
func (m Mode) String() string {
	if int(m) < len(modeNames) {
		return modeNames[m]
	}
	return fmt.Sprintf("mode %d", uint8(m))
}

// ParseMode returns the mode called name.
func ParseMode(name string) (Mode, error) {
	for m, n := range modeNames {
		if n == name {
			return Mode(m), nil
		}
	}
	return 0, fmt.Errorf("mode %q: must be auto, zerocopy, copy or generic", name)
}
