package bench

import (
	"errors"
	"fmt"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
)

// flow is one direction of what is measured.
type flow struct {
	gen  *generator
	sink *sink
}

// sample is what some time brought, all directions together.
type sample struct {
	seconds    float64
	sent, runs uint64
	got        arrived
	use        usage
	lost       float64   // part of what was sent from first to last frame that never came
	took       histogram // of frames that carry the time, from first to last
}

// rate is how many frames came per second.
func (s sample) rate() float64 { return float64(s.got.Packets) / s.seconds }

// offered is how many were sent per second.
func (s sample) offered() float64 { return float64(s.sent) / s.seconds }

// drainTime is how long nothing has to have come until all that will has come.
const drainTime = 20 * time.Millisecond

// take has frames flow at a pace, shared by the directions, and looks at them for window
// after they have flowed for warm.
func take(flows []flow, p pace, warm, window time.Duration) (s sample, err error) {
	first, before, err := arrivals(flows)
	if err != nil {
		return s, err
	}
	p.rate /= float64(len(flows))
	started := 0
	defer func() {
		for _, f := range flows[:started] {
			err = errors.Join(err, f.gen.stop())
		}
	}()
	for _, f := range flows {
		if err := f.gen.start(p); err != nil {
			return s, err
		}
		started++
	}
	if err := awaitSent(flows); err != nil {
		return s, err
	}
	time.Sleep(warm)
	a, err := look(flows)
	if err != nil {
		return s, err
	}
	time.Sleep(window)
	b, err := look(flows)
	if err != nil {
		return s, err
	}
	for started > 0 {
		started--
		if err := flows[started].gen.stop(); err != nil {
			return s, err
		}
	}
	s = sample{
		seconds: b.when.Sub(a.when).Seconds(), sent: b.sent - a.sent, runs: b.runs - a.runs,
		got: arrived{b.got.Packets - a.got.Packets, b.got.Bytes - a.got.Bytes}, use: between(a.cpus, b.cpus),
	}
	last, after, err := drained(flows)
	if err != nil {
		return s, err
	}
	end, err := look(flows)
	if err != nil {
		return s, err
	}
	s.lost = 1 - float64(last.Packets-first.Packets)/float64(max(end.sent, 1))
	s.took = after
	s.took.sub(&before)
	return s, nil
}

// floodTime is for how long nothing may happen where frames flow as fast as they can, and floodTries how often at least it
// is looked.
const (
	floodTime  = 10 * time.Second
	floodTries = 5
)

// flood is take of frames that flow as fast as they can, again and again as long as what counts is 0: on a machine that is
// busy otherwise that may be so for a while.
func flood(flows []flow, window time.Duration, counts func(sample) uint64) (s sample, err error) {
	end := time.Now().Add(floodTime)
	for try := 0; try < floodTries || time.Now().Before(end); try++ {
		s, err = take(flows, pace{}, window/4, window)
		if err != nil || counts(s) > 0 {
			return s, err
		}
	}
	return s, fmt.Errorf("nothing comes through in %v, saturated", floodTime)
}

// moment is a reading of all counters.
type moment struct {
	when       time.Time
	sent, runs uint64
	got        arrived
	cpus       map[int]cpuTime
}

func look(flows []flow) (m moment, err error) {
	m.when = time.Now()
	if m.cpus, err = cpuTimes(); err != nil {
		return m, err
	}
	for _, f := range flows {
		sent, runs, err := f.gen.counts()
		if err != nil {
			return m, err
		}
		m.sent, m.runs = m.sent+sent, m.runs+runs
		if f.sink == nil {
			continue
		}
		got, err := f.sink.count()
		if err != nil {
			return m, err
		}
		m.got.Packets, m.got.Bytes = m.got.Packets+got.Packets, m.got.Bytes+got.Bytes
	}
	return m, nil
}

// arrivals is what all sinks have counted.
func arrivals(flows []flow) (all arrived, h histogram, err error) {
	for _, f := range flows {
		if f.sink == nil {
			continue
		}
		got, err := f.sink.count()
		if err != nil {
			return all, h, err
		}
		all.Packets += got.Packets
		took, err := f.sink.latencies()
		if err != nil {
			return all, h, err
		}
		for i := range h {
			h[i] += took[i]
		}
	}
	return all, h, nil
}

// drained waits until nothing comes any more.
func drained(flows []flow) (arrived, histogram, error) {
	last := ^uint64(0)
	for end := time.Now().Add(time.Second); ; {
		m, err := look(flows)
		if err != nil {
			return arrived{}, histogram{}, err
		}
		if m.got.Packets == last || time.Now().After(end) {
			return arrivals(flows)
		}
		last = m.got.Packets
		time.Sleep(drainTime)
	}
}

// sentTime is how long a generator may take for its first frame. It shares its CPU with whatever else runs there.
const sentTime = 30 * time.Second

// awaitSent waits until every generator has sent something.
func awaitSent(flows []flow) error {
	for end := time.Now().Add(sentTime); ; time.Sleep(time.Millisecond) {
		idle := 0
		for _, f := range flows {
			sent, _, err := f.gen.counts()
			if err != nil {
				return err
			}
			if sent == 0 {
				idle++
			}
		}
		if idle == 0 {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("the generator has sent nothing in %v", sentTime)
		}
	}
}

// alone is what the generator does and costs where each frame is dropped by an XDP program
// as soon as it arrives at the device under test.
type alone struct {
	rate       float64 // frames per second
	perSent    float64 // seconds of the generator's CPU for a frame sent
	perSkip    float64 // and for one that was not due
	background float64 // seconds that the other CPUs are busy per second
}

// measureAlone measures it.
func (b *bed) measureAlone(w way, gens map[Direction]*generator, window time.Duration) (a alone, err error) {
	var end struct {
		Program *ebpf.Program `ebpf:"drop"`
	}
	if err := loadEnd(&end, nil, 1); err != nil {
		return a, err
	}
	defer end.Program.Close()
	var flows []flow
	for _, d := range w.directions() {
		name := portLink
		if d == Decap {
			name = wireLink
		}
		l, err := b.dut.Link(name)
		if err != nil {
			return a, err
		}
		var at link.Link
		err = b.dut.Do(func() error {
			at, err = link.AttachXDP(link.XDPOptions{Program: end.Program, Interface: l.Attrs().Index, Flags: link.XDPDriverMode})
			return err
		})
		if err != nil {
			return a, fmt.Errorf("attach to %s: %w", name, err)
		}
		defer at.Close()
		flows = append(flows, flow{gen: gens[d]})
	}
	if err := b.jail(); err != nil {
		return a, err
	}
	full, err := flood(flows, window, func(s sample) uint64 { return s.sent })
	if err != nil {
		return a, err
	}
	a.rate = full.offered()
	a.perSent = full.use.generator / float64(max(full.sent, 1))
	idle, err := take(flows, pace{rate: 1000}, window/8, window)
	if err != nil {
		return a, err
	}
	a.perSkip = idle.use.generator / float64(max(idle.runs, 1))
	a.background = idle.use.others / idle.seconds
	return a, nil
}

// busy is how many seconds of CPU a contender took in a sample: all but what the generator
// and the rest of the machine would have taken. In a jail the generator's CPU does nothing
// of the contender's.
func (a alone) busy(s sample, jailed bool) float64 {
	busy := s.use.others - a.background*s.seconds
	if !jailed {
		busy += s.use.generator - float64(s.sent)*a.perSent - float64(s.runs-s.sent)*a.perSkip
	}
	return busy
}

// perCPU is how many frames came per second of CPU time that they cost; 0 where that was
// too little to be measured.
func (a alone) perCPU(s sample, jailed bool) float64 {
	busy := a.busy(s, jailed)
	if busy < 5.0/ticksPerSecond {
		return 0
	}
	return float64(s.got.Packets) / busy
}
