package page

import (
	"encoding/json"
	"time"

	"vxgw/control"
)

const (
	// lookEvery is how old a status may be that is shown: somewhat less than the second after which pages ask again, so
	// that each of them gets a new one.
	lookEvery = 900 * time.Millisecond
	// lookShare bounds what making statuses takes of a CPU to 1/lookShare, with thousands of VNIs.
	lookShare = 10
	// forget is how old a status may be that rates are made with: what is longer ago says nothing of now.
	forget = 10 * time.Second
)

// share makes one status serve all who look. The workers are asked for their counts at most once in lookEvery.
type share struct {
	source Source
	turn   chan struct{} // holds a token while somebody has what is below: others who look wait

	last  control.Status
	taken time.Time // when last was
	rest  time.Duration
	state *state
	text  []byte // state as JSON
}

func newShare(s Source) *share { return &share{source: s, turn: make(chan struct{}, 1)} }

// look returns the state, and its JSON; neither may be changed.
func (s *share) look() (*state, []byte) {
	s.turn <- struct{}{}
	defer func() { <-s.turn }()
	if s.state != nil && time.Since(s.taken) < s.rest {
		return s.state, s.text
	}
	begin := time.Now()
	now := s.source.Status()
	before := &s.last
	if s.state == nil || begin.Sub(s.taken) > forget {
		before = nil
	}
	s.state = makeState(&now, before)
	s.text, _ = json.Marshal(s.state) // of strings and numbers, none of which is infinite
	s.last, s.taken, s.rest = now, begin, max(lookEvery, lookShare*time.Since(begin))
	return s.state, s.text
}
