package capture

import (
	"encoding/binary"
	"io"
)

// Blocks of pcapng that Counter knows (draft-ietf-opsawg-pcapng), and the option that tells what was dropped.
const (
	statisticsBlock = 5
	packetBlock     = 6
	droppedOption   = 5 // isb_ifdrop
)

// Counter is a pcapng stream of Writer's that is read through it: what came by is counted, so that it is known of a stream that was cut.
// The zero value with In set is ready. One goroutine.
type Counter struct {
	In io.Reader

	Packets uint64 // whole ones
	Ended   bool   // the stream has told what was dropped, which is at its end
	Dropped uint64

	block [256]byte // what there is yet of a block, its first bytes; one of statistics is shorter
	have  uint32
}

// Read is In's.
func (c *Counter) Read(b []byte) (int, error) {
	n, err := c.In.Read(b)
	c.see(b[:n])
	return n, err
}

// see goes over what came, block by block. Each begins with its type and its length, which includes those.
func (c *Counter) see(b []byte) {
	for len(b) > 0 {
		most := uint32(8)
		if c.have >= most {
			most = max(most, binary.LittleEndian.Uint32(c.block[4:]))
		}
		n := min(uint32(len(b)), most-c.have)
		if c.have < uint32(len(c.block)) {
			copy(c.block[c.have:], b[:n])
		}
		b, c.have = b[n:], c.have+n
		if c.have >= 8 && c.have >= binary.LittleEndian.Uint32(c.block[4:]) {
			c.count()
			c.have = 0
		}
	}
}

// count takes note of a block that is whole.
func (c *Counter) count() {
	switch binary.LittleEndian.Uint32(c.block[:]) {
	case packetBlock:
		c.Packets++
	case statisticsBlock:
		c.Ended = true
		if c.have > uint32(len(c.block)) {
			return
		}
		options := c.block[20 : max(c.have, 24)-4] // behind the interface and the time, in front of the length once more
		for len(options) >= 4 {
			code, n := binary.LittleEndian.Uint16(options), int(binary.LittleEndian.Uint16(options[2:]))
			padded := 4 + (n+3)&^3
			if padded > len(options) {
				return
			}
			if code == droppedOption && n == 8 {
				c.Dropped += binary.LittleEndian.Uint64(options[4:])
			}
			options = options[padded:]
		}
	}
}
