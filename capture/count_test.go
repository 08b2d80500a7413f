package capture

import (
	"bytes"
	"io"
	"testing"
	"testing/iotest"

	"github.com/gopacket/gopacket/pcapgo"
)

// However a stream comes in pieces, and wherever it is cut, as many packets are counted as can be read from it, and what was dropped is
// known of a whole one.
func TestCounter(t *testing.T) {
	file := written(t)
	for _, in := range []io.Reader{bytes.NewReader(file), iotest.OneByteReader(bytes.NewReader(file)), iotest.HalfReader(bytes.NewReader(file))} {
		c := Counter{In: in}
		out, err := io.ReadAll(&c)
		must(t, err)
		if !bytes.Equal(out, file) || c.Packets != uint64(len(records)+1) || !c.Ended || c.Dropped != 7 {
			t.Errorf("%d bytes of %d, %d packets, ended %v, %d dropped", len(out), len(file), c.Packets, c.Ended, c.Dropped)
		}
	}
	for cut := range file {
		c := Counter{In: bytes.NewReader(file[:cut])}
		_, err := io.Copy(io.Discard, &c)
		must(t, err)
		want := uint64(0)
		if r, err := pcapgo.NewNgReader(bytes.NewReader(file[:cut]), pcapgo.NgReaderOptions{}); err == nil {
			for _, _, err = r.ReadPacketData(); err == nil; _, _, err = r.ReadPacketData() {
				want++
			}
		}
		if c.Packets != want {
			t.Errorf("cut after %d bytes: %d packets, want %d", cut, c.Packets, want)
		}
	}
}

// Whatever comes, Read gives it on.
func FuzzCounter(f *testing.F) {
	f.Add([]byte("\x05\x00\x00\x00\x18\x00\x00\x00"), 3)
	f.Add([]byte("\x05\x00\x00\x00\x00\x00\x00\x00\x06\x00\x00\x00\xff\xff\xff\xff"), 1)
	f.Fuzz(func(t *testing.T, b []byte, piece int) {
		c := Counter{In: bytes.NewReader(b)}
		var out []byte
		buf := make([]byte, 1+uint(piece)%64)
		for {
			n, err := c.Read(buf)
			if out = append(out, buf[:n]...); err != nil {
				break
			}
		}
		if !bytes.Equal(out, b) || c.Packets > uint64(len(b)/8) {
			t.Errorf("%d bytes of %d, %d packets", len(out), len(b), c.Packets)
		}
	})
}
