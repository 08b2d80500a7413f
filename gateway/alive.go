package gateway

import "time"

// Alive reports whether the gateway does its work: whether the steward takes an order, and
// each worker answers within a time. It waits for the steward as long as that takes. Any
// goroutine.
func (g *Gateway) Alive(within time.Duration) bool {
	err := g.order(func() (bool, error) { return false, nil })
	return err == nil && g.plane.Alive(within)
}
