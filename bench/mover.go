package bench

import (
	"time"

	"vxgw/fdb"
)

// mover moves stations that frames go to, at a pace, from a goroutine of its own, as other workers or a control plane do:
// each in turn to the next remote, or to the domain's other port, and at the next turn back.
type mover struct {
	site  *site
	quit  chan struct{}
	ended chan int
}

// startMover starts it, if the site has a pace for it.
func (s *site) startMover() *mover {
	if s.config.Beside == 0 {
		return nil
	}
	m := &mover{s, make(chan struct{}), make(chan int)}
	moving := make(chan struct{})
	go m.run(moving)
	<-moving // it shares few CPUs with what is measured
	return m
}

// stop ends it and returns how many moves there were.
func (m *mover) stop() int {
	if m == nil {
		return 0
	}
	close(m.quit)
	return <-m.ended
}

// run moves until quit is closed. It closes moving when it has made its first moves.
func (m *mover) run(moving chan<- struct{}) {
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	start, made := time.Now(), 0
	for {
		select {
		case <-m.quit:
			m.ended <- made
			return
		case <-ticker.C:
		}
		for due := int(time.Since(start).Seconds() * float64(m.site.config.Beside)); made < due; made++ {
			m.site.move(uint32(made))
		}
		if moving != nil && made > 0 {
			close(moving)
			moving = nil
		}
	}
}

// move makes the n-th move.
func (s *site) move(n uint32) {
	_, to := s.config.sides()
	half := s.config.half()
	i, away := n%half, n/half%2 == 0
	dest := s.dest(to, i)
	if away && dest.IsRemote() {
		dest = fdb.RemoteDest(s.numbers[(s.remote(i)+1)%uint32(s.config.Remotes)])
	} else if away {
		dest = fdb.PortDest(s.port(i) + 1)
	}
	s.plane.FDB.Learn(s.key(to, i), dest, s.now)
}
