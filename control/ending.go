package control

import (
	"context"
	"sync"
	"time"
)

// ending is how answers that never end by themselves learn that the server does, so that they can say a last word.
type ending struct {
	begun chan struct{} // closed then

	mu      sync.Mutex
	over    bool
	running sync.WaitGroup
}

// endingPatience is how long Close waits for last words, of which one who does not read keeps some.
const endingPatience = time.Second

type endingKey struct{}

// endingOf is the server's that answers a request.
func endingOf(ctx context.Context) *ending {
	e, _ := ctx.Value(endingKey{}).(*ending)
	return e
}

// enter has end wait until leave is called, unless it has been called already.
func (e *ending) enter() (leave func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.over {
		return func() {}
	}
	e.running.Add(1)
	return sync.OnceFunc(e.running.Done)
}

// has reports whether the server ends.
func (e *ending) has() bool {
	select {
	case <-e.begun:
		return true
	default:
		return false
	}
}

// end tells all who have entered, and waits for them, but not for ever. A second call waits as well.
func (e *ending) end() {
	e.mu.Lock()
	if !e.over {
		e.over = true
		close(e.begun)
	}
	e.mu.Unlock()
	left := make(chan struct{})
	go func() {
		e.running.Wait()
		close(left)
	}()
	select {
	case <-left:
	case <-time.After(endingPatience):
	}
}
