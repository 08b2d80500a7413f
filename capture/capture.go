// Package capture turns the records of a tap into a file that tcpdump, tshark and Wireshark read, and into lines to read oneself.
//
//	capture.go   a record -> what became of the frame, in words
//	writer.go    records -> pcapng, with the words as comments
//	reader.go    pcapng -> lines
//	describe.go  a frame -> who speaks to whom
package capture

import (
	"fmt"
	"strings"

	"vxgw/dataplane"
	"vxgw/fdb"
)

// Names says what ports are called.
type Names func(port uint32) string

// dropped begins what is said of a frame that went nowhere.
const dropped = "dropped, "

// Comment says what became of a frame: its VNI, the VTEP it came from or goes to, whether the FDB knew where, and if it was
// dropped, why.
func Comment(h *dataplane.Record, names Names) string {
	var parts []string
	if h.VNI != dataplane.NoVNI {
		parts = append(parts, fmt.Sprintf("VNI %d", h.VNI))
	}
	if a := h.Remote.Netip(); a.IsValid() && !a.IsUnspecified() {
		parts = append(parts, "remote "+a.String())
	}
	if h.Marks&dataplane.MarkViaKernel != 0 {
		parts = append(parts, "by way of the kernel")
	}
	switch {
	case h.Marks&dataplane.MarkRefused != 0:
		parts = append(parts, dropped+"the kernel did not take it")
	case h.Verdict.Drop():
		parts = append(parts, dropped+h.Verdict.String()+onTheWay(h, names)+": "+h.Verdict.Sentence())
	case h.Way == dataplane.Sent:
		parts = append(parts, sent(h), from(h, names))
	default:
		parts = append(parts, received(h, names))
	}
	return strings.Join(parts, ", ")
}

// onTheWay says where a frame that was dropped should have gone, if that is known.
func onTheWay(h *dataplane.Record, names Names) string {
	if h.To == dataplane.NoPlace || h.To.IsRemote() && h.Way != dataplane.Lost {
		return ""
	}
	return " on the way to " + place(h.To, names)
}

func place(d fdb.Dest, names Names) string {
	if d.IsRemote() {
		return "a remote"
	}
	return names(d.Index())
}

func sent(h *dataplane.Record) string {
	switch {
	case h.Marks&dataplane.MarkAnswer != 0:
		return "an answer of gw's"
	case h.Marks&dataplane.MarkFlooded != 0:
		return "flooded"
	}
	return "FDB hit"
}

func from(h *dataplane.Record, names Names) string {
	switch {
	case h.From == dataplane.NoPlace:
		return "received before the capture began"
	case h.From.IsRemote():
		return "received from a tunnel"
	}
	return "received at " + names(h.From.Index())
}

func received(h *dataplane.Record, names Names) string {
	switch v := h.Verdict; {
	case v == 0:
		return "FDB hit, handed to another worker or held back until earlier frames have left"
	case v == dataplane.ToPort && h.To != dataplane.NoPlace:
		return "FDB hit, " + v.String() + " " + place(h.To, names)
	case v == dataplane.ToPort, v == dataplane.ToRemote:
		return "FDB hit, " + v.String()
	case v == dataplane.Flooded:
		return v.String()
	default:
		return v.String() + ": " + v.Sentence()
	}
}
