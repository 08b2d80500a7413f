package control

import (
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// ParseHex reads the bytes of a frame as people write them, in which colons, dashes, white space and 0x are left out; or a dump of them, as
// tcpdump -xx and -XX, tshark -x, xxd, hexdump -C and gw explain print it, in which offsets and characters are.
func ParseHex(text string) ([]byte, error) {
	if dumped.MatchString(text) {
		var err error
		if text, err = undump(text); err != nil {
			return nil, err
		}
	}
	digits := plain.Replace(text)
	for i, c := range digits {
		if !strings.ContainsRune("0123456789abcdefABCDEF", c) {
			return nil, fmt.Errorf("the frame is not hexadecimal: %q after %d digits (give the bytes from the destination MAC address on)", c, i)
		}
	}
	switch n := len(digits); {
	case n == 0:
		return nil, errors.New("the frame is empty (give its bytes in hexadecimal, from the destination MAC address on)")
	case n%2 == 1:
		return nil, fmt.Errorf("the frame has %d hexadecimal digits: half a byte is missing", n)
	case n/2 > 1<<16:
		return nil, fmt.Errorf("the frame has %d bytes, more than any interface carries", n/2)
	}
	return hex.DecodeString(digits)
}

// plain takes away what stands between digits.
var plain = strings.NewReplacer("0x", "", "0X", "", ":", "", "-", "", " ", "", "\t", "", "\n", "", "\r", "")

var (
	// dumped is how a dump begins: with an offset of zero, or one that cannot be anything else.
	dumped = regexp.MustCompile(`^\s*(0[xX][[:xdigit:]]{4,8}:|0{4,8}:|0{4,8}[ \t])[ \t]`)
	// offset is what a line of one begins with.
	offset = regexp.MustCompile(`^\s*(?:0[xX])?([[:xdigit:]]{4,8})(?::|\s+|$)\s*`)
	// framed are characters at the end of a line, between bars; elsewhere two blanks are in front of them.
	framed = regexp.MustCompile(`\s\|.*\|$`)
)

// undump leaves the bytes of a dump.
func undump(text string) (string, error) {
	var all strings.Builder
	last, again := "", false // the line before, and whether a star says that more are like it
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		if again = again || line == "*"; line == "*" {
			continue
		}
		at := offset.FindStringSubmatch(line)
		if at == nil {
			return "", fmt.Errorf("%q is no line of a dump: an offset is missing in front", line)
		}
		n, _ := strconv.ParseUint(at[1], 16, 64) // digits only, eight at most
		for again && last != "" && uint64(all.Len()/2) < min(n, 1<<16+1) {
			all.WriteString(last)
		}
		if again = false; n != uint64(all.Len()/2) {
			return "", fmt.Errorf("the dump has %d bytes in front of the line that says %s: lines are missing, or it is of more than one frame", all.Len()/2, at[1])
		}
		bytes := line[len(at[0]):]
		if end := framed.FindStringIndex(bytes); end != nil {
			bytes = bytes[:end[0]]
		} else {
			bytes, _, _ = strings.Cut(bytes, "  ")
		}
		last = plain.Replace(bytes)
		all.WriteString(last)
	}
	return all.String(), nil
}
