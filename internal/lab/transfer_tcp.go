package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
)

// The flow of TransferTCP: listen on one host, dial from the other, write a pseudo-random stream here and compare it
// with its twin there.

// TransferTCP sends n bytes of a pseudo-random stream through a TCP connection from one host to an address (ip:port,
// literal; port 0 takes a free one) of another, and compares each byte that arrives. The end of ctx, which should have
// a deadline, ends it. The error tells how far it came.
func TransferTCP(ctx context.Context, from, to *Host, addr string, n int64) error {
	var sent, received atomic.Int64
	err := transferTCP(ctx, from, to, addr, n, &sent, &received)
	if err != nil {
		return fmt.Errorf("transfer from %s to %s %s by tcp: sent %d and received %d of %d bytes: %w",
			from.name, to.name, addr, sent.Load(), received.Load(), n, err)
	}
	return nil
}

func transferTCP(ctx context.Context, from, to *Host, addr string, n int64, sent, received *atomic.Int64) error {
	var ln net.Listener
	err := to.Do(func() (err error) {
		var lc net.ListenConfig
		lc.SetMultipathTCP(false) // on by default in Go listeners; plain TCP is what is to be tried
		ln, err = lc.Listen(ctx, "tcp", addr)
		return err
	})
	if err != nil {
		return err
	}
	defer ln.Close()

	// Whoever fails first ends both: a receiver that gives up must not leave the sender with a full window.
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := context.AfterFunc(ctx, func() { ln.Close() })
	defer stop()
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := receiveStream(ctx, ln, n, received); err != nil {
			cancel(err)
		}
	})
	if err := sendStream(ctx, from, ln.Addr().String(), n, sent); err != nil {
		cancel(err)
	}
	wg.Wait()
	return context.Cause(ctx)
}

// sendStream dials, writes n bytes of the stream and waits until the receiver has closed: it has read all.
func sendStream(ctx context.Context, from *Host, addr string, n int64, sent *atomic.Int64) error {
	var conn net.Conn
	err := from.Do(func() (err error) {
		var d net.Dialer
		conn, err = d.DialContext(ctx, "tcp", addr)
		return err
	})
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()

	src, buf := newStream(uint64(n)), make([]byte, 64<<10)
	for left := n; left > 0; {
		b := buf[:min(left, int64(len(buf)))]
		src.Read(b)
		w, err := conn.Write(b)
		sent.Add(int64(w))
		left -= int64(w)
		if err != nil {
			return fmt.Errorf("send: %w", err)
		}
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		return fmt.Errorf("send end of stream: %w", err)
	}
	if _, err := conn.Read(buf); !errors.Is(err, io.EOF) {
		return fmt.Errorf("wait for the receiver to close: %w", err)
	}
	return nil
}

// receiveStream accepts one connection and compares what it reads with the stream.
func receiveStream(ctx context.Context, ln net.Listener, n int64, received *atomic.Int64) error {
	conn, err := ln.Accept()
	if err != nil {
		return fmt.Errorf("accept: %w", err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()

	src, buf, want := newStream(uint64(n)), make([]byte, 64<<10), make([]byte, 64<<10)
	for {
		r, err := conn.Read(buf)
		src.Read(want[:r])
		if !bytes.Equal(buf[:r], want[:r]) {
			return fmt.Errorf("damaged data within %d bytes after byte %d", r, received.Load())
		}
		total := received.Add(int64(r))
		switch {
		case errors.Is(err, io.EOF) && total == n:
			return nil
		case err != nil:
			return fmt.Errorf("receive: %w", err)
		case total > n:
			return fmt.Errorf("received more than was sent")
		}
	}
}

// newStream returns the pseudo-random stream of a number: the same on both sides.
func newStream(n uint64) *rand.ChaCha8 {
	return rand.NewChaCha8([32]byte{'l', 'a', 'b', byte(n), byte(n >> 8), byte(n >> 16), byte(n >> 24), byte(n >> 32)})
}
