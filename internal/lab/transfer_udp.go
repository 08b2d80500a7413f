package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"time"
)

// Loss is a datagram that did not arrive.
type Loss struct {
	Index, Size int   // place in the list given to TransferUDP, and bytes of payload
	Err         error // why it could not be sent, for example EMSGSIZE; nil: lost on the way
}

// udpPatience is how long TransferUDP waits for a datagram before it goes on. One that comes later still counts.
const udpPatience = 5 * time.Second

// So much may be under way at once, which fits the queues of sockets and of neighbours that are being resolved. Where
// every wake-up takes its time, one by one would take minutes.
const (
	udpWindow      = 8
	udpWindowBytes = 32 << 10 // unless a single one has more
)

// TransferUDP sends one datagram of each size, in bytes of payload, from one host to an address (ip:port, literal; port
// 0 takes a free one) of another, a few ahead of those that have arrived or were waited for long enough, and compares the
// contents. It returns the datagrams that are missing. The error says that it was not possible, that a datagram was
// damaged, or that ctx ended.
func TransferUDP(ctx context.Context, from, to *Host, addr string, sizes []int) ([]Loss, error) {
	lost, err := transferUDP(ctx, from, to, addr, sizes)
	if err != nil {
		return lost, fmt.Errorf("transfer from %s to %s %s by udp: %w", from.name, to.name, addr, err)
	}
	return lost, nil
}

func transferUDP(ctx context.Context, from, to *Host, addr string, sizes []int) ([]Loss, error) {
	var server net.PacketConn
	var client net.Conn
	err := to.Do(func() (err error) {
		server, err = net.ListenPacket("udp", addr)
		return err
	})
	if err != nil {
		return nil, err
	}
	defer server.Close()
	err = from.Do(func() (err error) {
		client, err = net.Dial("udp", server.LocalAddr().String())
		return err
	})
	if err != nil {
		return nil, err
	}
	defer client.Close()

	f := &flight{server: server, missing: map[int]error{}}
	for i, size := range sizes {
		if err := f.await(udpWindow-1, udpWindowBytes-size); err != nil {
			return nil, err
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		payload := make([]byte, size)
		newStream(uint64(i)).Read(payload)
		f.payloads = append(f.payloads, payload)
		_, err := client.Write(payload)
		f.missing[i] = err
		if err == nil {
			f.count, f.bytes = f.count+1, f.bytes+size
		}
	}
	if err := f.await(0, 0); err != nil {
		return nil, err
	}
	var lost []Loss
	for i, size := range sizes {
		if err, ok := f.missing[i]; ok {
			lost = append(lost, Loss{Index: i, Size: size, Err: err})
		}
	}
	return lost, nil
}

// flight is what was sent and has not arrived.
type flight struct {
	server       net.PacketConn
	payloads     [][]byte
	missing      map[int]error // with those that could not be sent, and why
	first        int           // those before it are not waited for any more
	count, bytes int           // of those that are waited for
	buf          [1 << 16]byte
}

// await reads until so few are under way, and takes what arrives off missing. When patience is over it waits for none
// of them any more.
func (f *flight) await(count, bytes int) error {
	for f.count > count || f.count > 0 && f.bytes > bytes {
		if err := f.server.SetReadDeadline(time.Now().Add(udpPatience)); err != nil {
			return err
		}
		n, _, err := f.server.ReadFrom(f.buf[:])
		var timeout net.Error
		if errors.As(err, &timeout) && timeout.Timeout() {
			f.first, f.count, f.bytes = len(f.payloads), 0, 0
			return nil
		}
		if err != nil {
			return fmt.Errorf("receive: %w", err)
		}
		if err := f.arrived(f.buf[:n]); err != nil {
			return err
		}
	}
	return nil
}

// arrived finds out which one it is.
func (f *flight) arrived(payload []byte) error {
	known := false
	for i := len(f.payloads) - 1; i >= 0; i-- {
		if !bytes.Equal(f.payloads[i], payload) {
			continue
		}
		known = true
		if err, ok := f.missing[i]; ok && err == nil {
			delete(f.missing, i)
			if i >= f.first {
				f.count, f.bytes = f.count-1, f.bytes-len(payload)
			}
			return nil
		}
	}
	if !known {
		return fmt.Errorf("received a damaged datagram of %d bytes, the latest of %d sent has %d", len(payload), len(f.payloads), len(f.payloads[len(f.payloads)-1]))
	}
	return nil // a second copy
}
