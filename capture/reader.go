package capture

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/gopacket/gopacket/pcapgo"
)

// Print writes the packets of a pcapng stream to out as they come, one a line: time, interface, direction, who speaks to whom, and
// the comment. It returns at the stream's end; an error means that it was cut, or that out takes no more.
func Print(in io.Reader, out io.Writer) error {
	r, err := pcapgo.NewNgReader(in, pcapgo.NgReaderOptions{})
	for err == nil {
		data, ci, opts, e := r.ReadPacketDataWithOptions()
		if err = e; err != nil {
			break
		}
		name := ""
		if i, err := r.Interface(ci.InterfaceIndex); err == nil {
			name = i.Name
		}
		comment, way := strings.Join(opts.Comments, "; "), "rx"
		switch {
		case strings.Contains(comment, dropped):
			way = "drop"
		case opts.Flags != nil && opts.Flags.Direction == pcapgo.NgEpbFlagDirectionOutbound:
			way = "tx"
		}
		if _, err := fmt.Fprintf(out, "%s %s %-4s %s, length %d; %s\n", ci.Timestamp.Local().Format("15:04:05.000000"), name, way, describe(data), ci.Length, comment); err != nil {
			return err
		}
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
