package dataplane

// What a trial has copies of.

// copy returns counts of its own.
func (s *Storm) copy() *Storm {
	c := new(Storm)
	for i := range s.counts {
		c.counts[i].Store(s.counts[i].Load())
	}
	return c
}

// spent is how many frames were admitted in a second.
func (s *Storm) spent(i int, now uint32) uint32 {
	word := s.counts[i].Load()
	if uint32(word>>32) < now {
		return 0
	}
	return uint32(word)
}

// copy returns a table with as many numbers, of which follow makes those in use what r has.
func (r *Remotes) copy() *Remotes {
	c := NewRemotes(len(r.slots))
	c.follow(r)
	return c
}

// follow makes r what of is now. One goroutine has r.
func (r *Remotes) follow(of *Remotes) {
	r.mu.Lock()
	defer r.mu.Unlock()
	of.mu.Lock()
	r.used = of.used
	copy(r.slots, of.slots[:of.used])
	r.free = append(r.free[:0], of.free...)
	of.mu.Unlock()
	r.rebuild()
}
