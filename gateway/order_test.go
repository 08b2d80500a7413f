package gateway

import (
	"errors"
	"testing"
)

// Whoever hands something over gets the answer, also when the goroutine has ended since.
func TestHand(t *testing.T) {
	answer := errors.New("done")
	ask := func(answered bool) error {
		to, done, ended := make(chan int), make(chan error, 1), make(chan struct{})
		go func() {
			<-to
			if answered {
				done <- answer
			}
			close(ended)
		}()
		return hand(to, 1, done, ended)
	}
	for range 1000 { // of several channels that are ready a select takes any
		if err := ask(true); err != answer {
			t.Fatalf("answered, and ended then: %v", err)
		}
		if err := ask(false); err != errStopping {
			t.Fatalf("ended without an answer: %v", err)
		}
	}
	ended := make(chan struct{})
	close(ended)
	if err := hand(make(chan int), 1, make(chan error, 1), ended); err != errStopping {
		t.Errorf("nobody there: %v", err)
	}
}
