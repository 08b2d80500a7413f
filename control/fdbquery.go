package control

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// FDBQuery asks for a part of the MAC tables that fits an answer, however large they are.
type FDBQuery struct {
	MAC   MACPart
	VNI   uint32 // of the bridge domain; 0: any
	Dst   string // in the address of a remote or the name of a port, in small letters; empty: any
	Limit int    // entries of the answer
}

// FDBFound answers an FDBQuery: the first entries by VNI and address.
type FDBFound struct {
	Entries []FDBEntry `json:"entries"`
	More    int        `json:"more"` // that were chosen, too
}

// MACPart is what somebody remembers of a MAC address: some digits, from the beginning of a byte on. The zero
// value is in every address.
type MACPart struct {
	bits   uint64
	digits int // hexadecimal ones, at most 12
}

var errMACPart = errors.New("give some bytes of it, such as 02:57:a7 or 1c:01")

// ParseMACPart reads digits in any case, without separators or with those of a MAC address between bytes.
func ParseMACPart(s string) (MACPart, error) {
	var p MACPart
	if s == "" {
		return p, nil
	}
	groups := strings.FieldsFunc(s, func(r rune) bool { return r == ':' || r == '-' || r == '.' })
	for i, g := range groups {
		if i < len(groups)-1 && len(g)%2 != 0 {
			return p, fmt.Errorf("MAC address %q: %q is half a byte short (%w)", s, g, errMACPart)
		}
	}
	digits := strings.Join(groups, "")
	n, err := strconv.ParseUint(digits, 16, 64)
	if err != nil || len(digits) > 12 || s[0] == '-' {
		return p, fmt.Errorf("MAC address %q is not one, nor a part of one (%w)", s, errMACPart)
	}
	return MACPart{n, len(digits)}, nil
}

// In says whether p is in a MAC address, whose first byte is the highest of 48 bits.
func (p MACPart) In(mac uint64) bool {
	mask := uint64(1)<<(4*p.digits) - 1
	for from := 4 * (12 - p.digits); from >= 0; from -= 8 {
		if mac>>from&mask == p.bits {
			return true
		}
	}
	return false
}
