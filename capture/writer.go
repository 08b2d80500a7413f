package capture

import (
	"fmt"
	"io"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"vxgw/dataplane"
)

// Config is what a file says of how it was made.
type Config struct {
	Application string // such as gw 1.0
	Underlay    string // name of the interface
	Snaplen     uint32 // bytes; the same for every interface, as libpcap wants it
	Filter      string
}

// Writer writes records as pcapng, each interface when it is first needed or named. One goroutine.
type Writer struct {
	ng      *pcapgo.NgWriter
	cfg     Config
	begun   time.Time
	ids     map[uint32]int // of interfaces in the file, by port; the underlay's is 0
	names   map[uint32]string
	packets []uint64 // by interface
}

// wholeFrames is the length that tcpdump gives itself for whole packets (MAXIMUM_SNAPLEN).
const wholeFrames = 262144

// NewWriter begins a file. Nothing may reach w before Flush.
func NewWriter(w io.Writer, c Config) (*Writer, error) {
	if c.Snaplen == 0 {
		c.Snaplen = wholeFrames
	}
	out := &Writer{cfg: c, begun: time.Now(), ids: map[uint32]int{}, names: map[uint32]string{}}
	var err error
	out.ng, err = pcapgo.NewNgWriterInterface(w, out.describe(c.Underlay, "underlay: outer packets as on the wire"),
		pcapgo.NgWriterOptions{SectionInfo: pcapgo.NgSectionInfo{OS: "Linux", Application: c.Application}})
	out.ids[dataplane.Underlay], out.names[dataplane.Underlay], out.packets = 0, c.Underlay, []uint64{0}
	return out, err
}

func (w *Writer) describe(name, what string) pcapgo.NgInterface {
	return pcapgo.NgInterface{Name: name, Description: what, Filter: w.cfg.Filter, OS: "Linux", LinkType: layers.LinkTypeEthernet, SnapLength: w.cfg.Snaplen}
}

// Name says what a port is called from now on; another name, or another interface, is another interface in the file.
func (w *Writer) Name(port uint32, name string) error {
	if w.names[port] == name {
		return nil
	}
	id, err := w.ng.AddInterface(w.describe(name, "port"))
	if err != nil {
		return fmt.Errorf("add the interface %s: %w", name, err)
	}
	w.ids[port], w.names[port], w.packets = id, name, append(w.packets, 0)
	return nil
}

// nameOf is what a port is called; one that nobody has named goes by its number.
func (w *Writer) nameOf(port uint32) string {
	if name, ok := w.names[port]; ok {
		return name
	}
	return fmt.Sprintf("port %d", port)
}

// Write writes one record with its comment.
func (w *Writer) Write(h *dataplane.Record, frame []byte) error {
	if _, ok := w.ids[h.Port]; !ok {
		if err := w.Name(h.Port, w.nameOf(h.Port)); err != nil {
			return err
		}
	}
	id := w.ids[h.Port]
	flags := pcapgo.NgEpbFlags{Direction: pcapgo.NgEpbFlagDirectionInbound}
	if h.Way == dataplane.Sent || h.Way == dataplane.Lost && h.Marks&dataplane.MarkRefused != 0 {
		flags.Direction = pcapgo.NgEpbFlagDirectionOutbound
	}
	w.packets[id]++
	return w.ng.WritePacketWithOptions(
		gopacket.CaptureInfo{Timestamp: time.Unix(0, h.Time), CaptureLength: len(frame), Length: int(h.Len), InterfaceIndex: id}, frame,
		pcapgo.NgPacketOptions{Comments: []string{Comment(h, w.nameOf)}, Flags: &flags})
}

// Flush has all that was written reach the file.
func (w *Writer) Flush() error { return w.ng.Flush() }

// Close ends the file with what each interface has had. The packets that were lost are told of the first, since nobody knows where
// they came from.
func (w *Writer) Close(lost uint64) error {
	now := time.Now()
	for id, n := range w.packets {
		s := pcapgo.NgInterfaceStatistics{LastUpdate: now, StartTime: w.begun, EndTime: now, PacketsReceived: n + lost, PacketsDropped: lost}
		if err := w.ng.WriteInterfaceStats(id, s); err != nil {
			return fmt.Errorf("write the statistics: %w", err)
		}
		lost = 0
	}
	return w.ng.Flush()
}
