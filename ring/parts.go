package ring

import "golang.org/x/sys/unix"

// The kernel takes memory in pieces of a page at most (XDP_UMEM_REG in net/xdp/xdp_umem.c, huge pages or not), and so a packet
// that is longer is several descriptors (XDP_USE_SG, Linux 6.6). A larger frame is a row of such chunks. Callers of the verbs do not
// see them:
//
//	Receive   the kernel fills the first chunk of as many frames as it needs; what lies in the later ones is copied
//	          behind what lies in the first, where its own later chunks are, and they are free again
//	Flush     a frame leaves as the chunks that it lies in; the kernel completes each, and the last completion is the frame's
//
// So no byte of what fits into the first chunk is copied, and none of what is sent.

// chunkSize is the largest piece of memory in bytes that every kernel takes.
const chunkSize = 4096

// noFrame is no address.
const noFrame = ^uint64(0)

// more marks a descriptor that is not the last of its packet.
const more = unix.XDP_PKT_CONTD

// parts is what a socket has that sends and receives packets of several chunks. Its tx is the ring that the kernel reads; that of the
// socket is a ring in our memory then, of which frames move on as the other has room.
type parts struct {
	tx    Producer[Desc]
	queue Consumer[Desc] // the other end of the socket's own
	chunk uint64         // bytes

	packet Desc     // what has come of a packet whose last part has not; its address is noFrame where the first part was not ours
	open   bool     // there is such a packet
	broken bool     // and it is to be dropped
	spare  []uint64 // frames whose part was copied
}

// withParts makes s one for packets of several chunks, before it has rings. tx is the kernel's ring.
func (s *Socket) withParts(tx Producer[Desc]) {
	queue := newShared[Desc](tx.Size())
	s.tx, s.size = newProducer(queue), s.memory.size
	s.parts = &parts{tx: tx, queue: newConsumer(queue), chunk: s.memory.chunk, spare: make([]uint64, 0, tx.Size())}
}

// wire is the tx ring that the kernel reads.
func (s *Socket) wire() *Producer[Desc] {
	if s.parts != nil {
		return &s.parts.tx
	}
	return &s.tx
}

// receiveParts is Receive.
func (s *Socket) receiveParts(batch []Desc) (taken int) {
	n := s.rx.Peek(s.rx.Size())
	done := uint32(0)
	for ; done < n && taken < len(batch); done++ {
		d := s.rx.At(done)
		if s.join(d); d.Options&more != 0 {
			continue
		}
		p := s.parts
		p.open = false
		if !p.broken {
			batch[taken] = p.packet
			taken++
		} else if p.packet.Addr != noFrame {
			p.spare = append(p.spare, p.packet.Addr)
		}
	}
	s.rx.Release(done)
	return taken
}

// join adds one part to the packet that is under way.
func (s *Socket) join(d Desc) {
	p, f, first := s.parts, d.Addr>>(s.shift&63), !s.parts.open
	if first {
		p.packet, p.open, p.broken = Desc{Addr: noFrame}, true, false
	}
	if f >= uint64(len(s.owners)) || s.owners[f] != receiving {
		s.counts.foreignReceived.Add(1)
		p.broken = true
		return
	}
	s.owners[f] = user
	s.lent--
	if d.Addr&(s.size-1)+uint64(d.Len) > s.size {
		s.counts.malformed.Add(1)
		p.broken = true
	}
	if first {
		p.packet = Desc{Addr: d.Addr, Len: d.Len}
		return
	}
	p.spare = append(p.spare, d.Addr)
	if p.broken {
		return
	}
	if p.packet.Addr&(s.size-1)+uint64(p.packet.Len)+uint64(d.Len) > s.size {
		s.counts.tooLong.Add(1)
		p.broken = true
		return
	}
	copy(s.memory.Bytes(p.packet.Addr+uint64(p.packet.Len), d.Len), s.memory.Bytes(d.Addr, d.Len))
	p.packet.Len += d.Len
}

// freeParts puts the frames of which a part was copied into p.
func (s *Socket) freeParts(p *Pool) {
	for _, addr := range s.parts.spare {
		p.Put(addr)
	}
	s.parts.spare = s.parts.spare[:0]
}

// flushParts is Flush behind handOver: it moves frames on as the kernel has room for them, and kicks it as often as that makes
// more.
func (s *Socket) flushParts() (err error) {
	p := s.parts
	for s.moveParts() > 0 && err == nil {
		if s.fd >= 0 && p.tx.NeedWakeup() {
			err = s.kick()
		}
	}
	if s.fd >= 0 && err == nil && p.tx.NeedWakeup() && p.tx.Pending() > 0 {
		err = s.kick()
	}
	s.roomOfParts()
	return err
}

// roomOfParts lets Send take as many frames as the kernel's ring has slots, those that wait for it counted.
func (s *Socket) roomOfParts() {
	s.tx.Reserve(s.tx.Size())
	s.tx.room -= min(s.tx.room, s.parts.tx.Pending())
}

// moveParts publishes the chunks of as many frames as the kernel's ring has room for and returns how many frames that are.
func (s *Socket) moveParts() (frames uint32) {
	p := s.parts
	slots, n, room := uint32(0), p.queue.Peek(p.queue.Size()), p.tx.Reserve(p.tx.Size())
	for ; frames < n; frames++ {
		d := p.queue.At(frames)
		need := uint32((d.Addr&(p.chunk-1)+uint64(d.Len)-1)/p.chunk) + 1
		if need > room-slots {
			break
		}
		s.owners[d.Addr>>(s.shift&63)] = sending + owner(need-1)
		for part := d; part.Len > 0; slots++ {
			in := uint32(p.chunk - part.Addr&(p.chunk-1)) // of the chunk, from there on
			out := Desc{Addr: part.Addr, Len: min(part.Len, in)}
			part.Addr += uint64(out.Len)
			if part.Len -= out.Len; part.Len > 0 {
				out.Options = more
			}
			p.tx.Set(slots, out)
		}
	}
	if frames > 0 {
		p.queue.Release(frames)
		p.tx.Submit(slots)
	}
	return frames
}

// finishParts is finish: a frame is whole again when its last chunk is completed.
func (s *Socket) finishParts(completed []uint64, p *Pool) (taken int) {
	for _, addr := range completed {
		f := addr >> (s.shift & 63)
		switch {
		case f >= uint64(len(s.owners)) || s.owners[f] < sending:
			s.counts.foreignCompleted.Add(1)
		case s.owners[f] > sending:
			s.owners[f]--
		default:
			s.owners[f] = user
			p.Put(addr)
			taken++
		}
	}
	return taken
}

// TakesParts reports whether this kernel's AF_XDP has packets of several descriptors, which it has from Linux 6.6 on. Errors are those
// of opening a socket.
func TakesParts() (bool, error) {
	fd, err := unix.Socket(unix.AF_XDP, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return false, adviseSocket(err)
	}
	defer unix.Close(fd)
	// It looks at flags that it does not know before it looks for the interface (xsk_bind in net/xdp/xsk.c).
	const noInterface = 1<<31 - 1
	return unix.Bind(fd, &unix.SockaddrXDP{Flags: unix.XDP_USE_SG, Ifindex: noInterface}) != unix.EINVAL, nil
}
