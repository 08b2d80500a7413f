package bench

import "vxgw/dataplane"

// step begins the next step: a second later, if that is the mix.
func (l *Loop) step() {
	if l.site.config.Mix == Refresh {
		l.site.now++
		l.site.plane.Tick(l.site.now)
	}
}

// deliver receives a batch and returns how many packets it has.
func (l *Loop) deliver() int {
	l.done = l.next
	n := l.deliverAll
	if len(l.rx) > 1 {
		n = l.spread
	}
	got := n()
	l.delivered += uint64(got)
	return got
}

// deliverAll receives a batch on the only interface that receives.
func (l *Loop) deliverAll() int {
	const headroom = 256 // what the kernel leaves in front of a packet (XDP_PACKET_HEADROOM)
	k, p, mem := l.rx[0], &l.packets, l.site.plane.Memory
	n := k.Rx.Reserve(k.Fill.Peek(dataplane.BatchSize))
	for i := range n {
		addr := k.Fill.At(i) + headroom
		copy(mem.Bytes(addr, uint32(p.length)), p.bytes[l.next*p.stride:])
		l.advance()
		slot := k.Rx.Slot(i)
		slot.Addr, slot.Len, slot.Options = addr, uint32(p.length), 0
	}
	k.Fill.Release(n)
	k.Rx.Submit(n)
	return int(n)
}

// spread receives a batch on many interfaces, each packet on that of its domain.
func (l *Loop) spread() (n int) {
	p := &l.packets
	for range dataplane.BatchSize {
		if !l.rx[p.ports[l.next]].Deliver(p.bytes[l.next*p.stride:][:p.length]) {
			break
		}
		l.advance()
		n++
	}
	return n
}

func (l *Loop) advance() {
	if l.next++; l.next == l.packets.count {
		l.next = 0
	}
}

// take completes everything that was sent; nothing, if that is the mix.
func (l *Loop) take() {
	if l.site.config.Mix == Full {
		return
	}
	for _, k := range l.tx {
		n := k.Completion.Reserve(k.Tx.Peek(k.Tx.Size()))
		if n == 0 {
			continue
		}
		for i := range n {
			k.Completion.Set(i, k.Tx.At(i).Addr)
		}
		k.Tx.Release(n)
		k.Completion.Submit(n)
		l.taken += uint64(n)
	}
}

// undo makes the FDB what it was before the batch. Only errors of the bench itself make it fail; Check finds them.
func (l *Loop) undo() {
	s, p := l.site, &l.packets
	switch s.config.Mix {
	case Learn:
		for i := l.done; i != l.next; i = (i + 1) % p.count {
			_ = s.plane.FDB.Delete(s.key(newcomers, p.sources[i]))
		}
	case Move:
		for i := l.done; i != l.next; i = (i + 1) % p.count {
			s.plane.FDB.Learn(s.key(wanderers, p.sources[i]), s.dest(wanderers, p.sources[i]), s.now)
		}
	}
}
