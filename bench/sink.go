package bench

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"vxgw/internal/lab"
)

// sink counts frames of the generator where they arrive, at tc ingress, and drops them
// there. All else goes on. Where frames carry the time, it also counts how many took how
// long.
type sink struct {
	objs struct {
		Program   *ebpf.Program `ebpf:"sink"`
		Arrivals  *ebpf.Map     `ebpf:"arrivals"`
		Latencies *ebpf.Map     `ebpf:"latencies"`
	}
	link link.Link
}

// arrived is struct arrived of traffic.c.
type arrived struct{ Packets, Bytes uint64 }

// newSink counts frames with a mark that arrive on a link, behind offset bytes of other
// headers.
func newSink(h *lab.Host, linkName string, offset int, mark uint32) (_ *sink, err error) {
	s := &sink{}
	l, err := h.Link(linkName)
	if err != nil {
		return nil, err
	}
	if err = loadEnd(&s.objs, map[string]any{"offset": uint32(offset), "mark": mark}, 1); err != nil {
		return nil, fmt.Errorf("load the sink: %w", err)
	}
	err = h.Do(func() error {
		s.link, err = link.AttachTCX(link.TCXOptions{Program: s.objs.Program, Interface: l.Attrs().Index, Attach: ebpf.AttachTCXIngress})
		return err
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("attach the sink to %s: %w", linkName, err), s.close())
	}
	return s, nil
}

// count returns what came so far.
func (s *sink) count() (all arrived, err error) {
	var each []arrived
	if err := s.objs.Arrivals.Lookup(uint32(0), &each); err != nil {
		return all, fmt.Errorf("read the sink: %w", err)
	}
	for _, a := range each {
		all.Packets += a.Packets
		all.Bytes += a.Bytes
	}
	return all, nil
}

// latencies returns how long the frames took that came so far and carried the time.
func (s *sink) latencies() (h histogram, err error) {
	var each []uint64
	for i := range h {
		if err := s.objs.Latencies.Lookup(uint32(i), &each); err != nil {
			return h, fmt.Errorf("read the sink's latencies: %w", err)
		}
		for _, n := range each {
			h[i] += n
		}
	}
	return h, nil
}

func (s *sink) close() error {
	var errs []error
	if s.link != nil {
		errs = append(errs, s.link.Close())
	}
	return errors.Join(append(errs, s.objs.Program.Close(), s.objs.Arrivals.Close(), s.objs.Latencies.Close())...)
}
