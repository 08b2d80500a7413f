package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"vxgw/internal/lab"
)

// forwarding is a forwarder on the rings of that name, run from program on the CPU
// that is in cpu when its turn comes. Frames flow once its process has said so on
// its standard output.
func forwarding(program, rings string, cpu *int) starter {
	return func(ctx context.Context, h *lab.Host) (func() error, error) {
		c := ForwardConfig{Rings: rings, From: "veth1", To: "ens18", CPU: *cpu}
		cmd := h.Command(ctx, program, append([]string{"bench", "forward"}, c.args()...)...)
		var log strings.Builder
		cmd.Stderr = &log
		out, err := cmd.StdoutPipe()
		if err != nil {
			return nil, err
		}
		if err := cmd.Start(); err != nil {
			return nil, err
		}
		stop := func() error { return end(cmd, &log) }
		if err := awaitReady(out.(*os.File)); err != nil {
			return nil, errors.Join(fmt.Errorf("wait for the forwarder: %w", err), stop())
		}
		return stop, nil
	}
}

const readyLine = "ready"

// SayReady tells on w what the bench waits for.
func SayReady(w io.Writer) { fmt.Fprintln(w, readyLine) }

// awaitReady waits for the other end of a pipe to SayReady.
func awaitReady(pipe *os.File) error {
	if err := pipe.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return err
	}
	line, err := bufio.NewReader(pipe).ReadString('\n')
	if err == nil && line != readyLine+"\n" {
		err = fmt.Errorf("it said %q", line)
	}
	return err
}
