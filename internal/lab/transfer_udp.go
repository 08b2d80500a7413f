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

// TransferUDP sends one datagram of each size, in bytes of payload, from one host to an address (ip:port, literal; port
// 0 takes a free one) of another, each after the one before has arrived or udpPatience is over, and compares the
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

	payloads := make([][]byte, len(sizes))
	missing := map[int]error{}
	buf := make([]byte, 1<<16)
	for i, size := range sizes {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		payloads[i] = make([]byte, size)
		newStream(uint64(i)).Read(payloads[i])
		_, err := client.Write(payloads[i])
		missing[i] = err
		if err != nil {
			continue
		}
		if err := awaitDatagram(server, buf, payloads[:i+1], missing); err != nil {
			return nil, err
		}
	}
	var lost []Loss
	for i, size := range sizes {
		if err, ok := missing[i]; ok {
			lost = append(lost, Loss{Index: i, Size: size, Err: err})
		}
	}
	return lost, nil
}

// awaitDatagram reads until the last of payloads has arrived or patience is over, and takes what arrives off missing.
func awaitDatagram(server net.PacketConn, buf []byte, payloads [][]byte, missing map[int]error) error {
	last := len(payloads) - 1
	if err := server.SetReadDeadline(time.Now().Add(udpPatience)); err != nil {
		return err
	}
	for {
		if _, ok := missing[last]; !ok {
			return nil
		}
		n, _, err := server.ReadFrom(buf)
		var timeout net.Error
		if errors.As(err, &timeout) && timeout.Timeout() {
			return nil
		}
		if err != nil {
			return fmt.Errorf("receive: %w", err)
		}
		i := last
		for i >= 0 && !bytes.Equal(payloads[i], buf[:n]) {
			i--
		}
		if i < 0 {
			return fmt.Errorf("received a damaged datagram of %d bytes while datagram %d of %d bytes was due", n, last, len(payloads[last]))
		}
		delete(missing, i)
	}
}
