package bench

import (
	"encoding/binary"
	"fmt"

	"vxgw/dataplane"
	"vxgw/vxlan"
)

// Mix is what the frames of a measurement have in common: what the worker has to do about them.
type Mix uint8

// Mixes. Whatever a mix changes in the FDB, the bench undoes after each round, so that every round finds what the
// first one found.
const (
	Hit     Mix = iota // both addresses are known, and nothing is new
	Refresh            // each round is in another second, so every source's timestamp is written
	Flood              // broadcast: head-end replication to a few remotes, or copies for a few ports
	Learn              // each source is new
	Move               // each source was elsewhere
	Drop               // for one of several reasons each, see spoils
	Full               // the tx ring has no room: the kernel sends nothing

	mixCount
)

var mixNames = [mixCount]string{"hit", "refresh", "flood", "learn", "move", "drop", "full"}

// String returns the name that tables and JSON use.
func (m Mix) String() string { return mixNames[m] }

// MarshalText is String, for JSON.
func (m Mix) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// spoil makes a packet one that the worker drops, and says why it does.
type spoil struct {
	verdict dataplane.Verdict
	apply   func(p []byte, from side)
}

const broadcast = 1<<48 - 1

// spoils are what the frames of Drop have wrong, in turn, by direction.
var spoils = [...][]spoil{
	Encap: {
		{dataplane.BadSourceMAC, func(p []byte, from side) { putMAC(p[6:], from.mac(0)|vxlan.GroupBit) }},
		{dataplane.LinkLocal, func(p []byte, _ side) { putMAC(p, 0x0180c2000000) }},
		{dataplane.SamePort, func(p []byte, _ side) { copy(p[:6], p[6:12]) }},
		{dataplane.FloodOff, func(p []byte, _ side) { putMAC(p, broadcast) }},
	},
	Decap: {
		{dataplane.UnknownVNI, func(p []byte, _ side) { p[vxlan.Overhead-4] = 0xff }},
		{dataplane.BadFlags, func(p []byte, _ side) { p[vxlan.Overhead-8] = 0 }},
		{dataplane.TTL, func(p []byte, _ side) { p[ipAt+8] = 0; sumOuter(p) }},
		{dataplane.IPChecksum, func(p []byte, _ side) { p[ipAt+10]++ }},
		{dataplane.Martian, func(p []byte, _ side) { copy(p[ipAt+12:ipAt+16], p[ipAt+16:ipAt+20]); sumOuter(p) }},
		{dataplane.OuterMAC, func(p []byte, _ side) { p[5]++ }},
		{dataplane.BadSourceMAC, func(p []byte, from side) { putMAC(p[vxlan.Overhead+6:], from.mac(0)|vxlan.GroupBit) }},
		{dataplane.SplitHorizon, func(p []byte, _ side) { f := p[vxlan.Overhead:]; copy(f[:6], f[6:12]) }},
	},
}

// sumOuter fills the outer IPv4 checksum in.
func sumOuter(p []byte) {
	ip := p[ipAt:udpAt]
	ip[10], ip[11] = 0, 0
	binary.BigEndian.PutUint16(ip[10:], ^vxlan.Fold(vxlan.Sum(ip, 0)))
}

// forwarded is the verdict of a direction's frames that take the usual way.
func (d Direction) forwarded() dataplane.Verdict {
	if d == Encap {
		return dataplane.ToRemote
	}
	return dataplane.ToPort
}

// expected returns how many of the frames delivered so far must have which verdict, and how many must have been sent.
func (l *Loop) expected() (verdicts map[dataplane.Verdict]uint64, sent uint64) {
	c, n := l.site.config, l.delivered
	switch c.Mix {
	case Flood:
		return map[dataplane.Verdict]uint64{dataplane.Flooded: n}, n * uint64(c.Copies)
	case Drop:
		verdicts, all := map[dataplane.Verdict]uint64{}, spoils[c.Direction]
		for i, s := range all {
			verdicts[s.verdict] = (n + uint64(len(all)-1-i)) / uint64(len(all))
		}
		return verdicts, 0
	case Full:
		return map[dataplane.Verdict]uint64{c.Direction.forwarded(): l.stuck, dataplane.TxFull: n - l.stuck}, 0
	}
	return map[dataplane.Verdict]uint64{c.Direction.forwarded(): n}, n
}

// Check fails unless every packet so far went where it had to, and what the next ones look like is right.
func (l *Loop) Check() error {
	l.step()
	l.deliver()
	l.worker.Round()
	var err error
	for _, k := range l.tx {
		if l.site.config.Mix == Full {
			break
		}
		l.taken += uint64(k.Take(func(_ uint64, packet []byte) {
			if err == nil {
				err = l.site.check(packet)
			}
		}))
	}
	l.undo()
	for l.worker.Round() > 0 { // until it has nothing to do, and counts what it did
	}
	if err != nil {
		return fmt.Errorf("check what the worker sent: %w", err)
	}
	verdicts, sent := l.expected()
	for v, want := range verdicts {
		if got := l.worker.Counters.Verdicts[v].Load(); got != want {
			return fmt.Errorf("check what the worker did (%v, %v): of %d frames %d have the verdict %v instead of %d",
				l.site.config.Direction, l.site.config.Mix, l.delivered, got, v, want)
		}
	}
	if l.taken != sent {
		return fmt.Errorf("check what the worker did (%v, %v): of %d frames %d were sent instead of %d",
			l.site.config.Direction, l.site.config.Mix, l.delivered, l.taken, sent)
	}
	return nil
}
