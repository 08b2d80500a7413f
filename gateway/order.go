package gateway

import "errors"

var errStopping = errors.New("the gateway is stopping")

// order is something that only the steward may do, at another goroutine's wish.
type order struct {
	do   func() (publish bool, err error)
	done chan error // capacity 1
}

// order has the steward do something. When it returns, what was to be published is,
// and every worker works with it. Before there is a steward nobody works yet, and it is
// done here.
func (g *Gateway) order(do func() (publish bool, err error)) error {
	if !g.steward.begun {
		_, err := do()
		return err
	}
	o := order{do, make(chan error, 1)}
	return hand(g.steward.orders, o, o.done, g.steward.ended)
}

// hand gives v to a goroutine and returns what that answers on done, or errStopping if
// it ended without an answer.
func hand[T any](to chan<- T, v T, done <-chan error, ended <-chan struct{}) error {
	select {
	case to <- v:
	case <-ended:
		return errStopping
	}
	select {
	case err := <-done:
		return err
	case <-ended:
	}
	select {
	case err := <-done: // it came before the end
		return err
	default:
		return errStopping
	}
}

// carryOut does what is ordered and reports whether a snapshot is wanted; whoever
// ordered it waits for that.
func (g *Gateway) carryOut(o order) bool {
	g.introduce()
	publish, err := o.do()
	publish = publish || len(g.steward.allow) > 0
	if err != nil || !publish {
		o.done <- err
		return false
	}
	g.steward.waiting = append(g.steward.waiting, o.done)
	return true
}

// introduce has workers know every port there is: an entry must not name one before.
func (g *Gateway) introduce() {
	if g.steward.requeued {
		g.publish()
		g.plane.Quiesce()
		g.answer()
	}
}

// answer tells those who wait that the snapshot in force has what they ordered.
func (g *Gateway) answer() {
	if len(g.steward.waiting) == 0 {
		return
	}
	g.plane.Quiesce()
	for _, done := range g.steward.waiting {
		done <- nil
	}
	g.steward.waiting = nil
}
