package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

// captured is a frame to explain.
type captured struct {
	frame  []byte
	full   int // bytes that it had on the wire
	number int // in the file, from 1 on; 0 if it is of none
}

// cut says that a capture has not kept all of the frame.
func (c *captured) cut() string {
	if c.full <= len(c.frame) {
		return ""
	}
	return fmt.Sprintf(" (%d of its %d bytes were captured, and what follows is said of those: capture with -s 0)", len(c.frame), c.full)
}

// packets are what both forms of capture files are read by.
type packets interface {
	ReadPacketData() (data []byte, ci gopacket.CaptureInfo, err error)
}

// magicNg is what a pcapng file begins with (a section header block).
const magicNg = 0x0a0d0d0a

// eachCaptured gives the first frames of a capture file to do.
func eachCaptured(path string, count uint, do func(captured) error) error {
	in := io.Reader(os.Stdin)
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return fmt.Errorf("explain: %w", err)
		}
		defer f.Close()
		in = f
	}
	file, link, err := openCapture(bufio.NewReader(in))
	if err != nil {
		return fmt.Errorf("explain: %s is no capture that can be read: %w (tcpdump -w writes one)", path, err)
	}
	for n := uint(0); n < count; n++ {
		data, ci, err := file.ReadPacketData()
		if errors.Is(err, io.EOF) && n > 0 {
			return nil
		}
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("explain: %s has no packets", path)
		}
		if err != nil {
			return fmt.Errorf("explain: %s: packet %d: %w", path, n+1, err)
		}
		if l := link(ci); l != layers.LinkTypeEthernet {
			return fmt.Errorf("explain: %s: packet %d is not of Ethernet but of link type %v (capture at one interface: tcpdump -i DEV, not any)", path, n+1, l)
		}
		if err := do(captured{data, ci.Length, int(n) + 1}); err != nil {
			return err
		}
	}
	return nil
}

// openCapture returns a reader of a capture, and what tells the link type of a packet of it.
func openCapture(in *bufio.Reader) (packets, func(gopacket.CaptureInfo) layers.LinkType, error) {
	head, err := in.Peek(4)
	if err != nil {
		return nil, nil, errors.New("it is empty, or cut")
	}
	if binary.BigEndian.Uint32(head) != magicNg {
		r, err := pcapgo.NewReader(in)
		if err != nil {
			return nil, nil, err
		}
		return r, func(gopacket.CaptureInfo) layers.LinkType { return r.LinkType() }, nil
	}
	options := pcapgo.DefaultNgReaderOptions
	options.WantMixedLinkType = true
	r, err := pcapgo.NewNgReader(in, options)
	if err != nil {
		return nil, nil, err
	}
	return r, func(ci gopacket.CaptureInfo) layers.LinkType {
		i, err := r.Interface(ci.InterfaceIndex)
		if err != nil {
			return layers.LinkTypeNull
		}
		return i.LinkType
	}, nil
}
