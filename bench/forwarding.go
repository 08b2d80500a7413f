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
)

// forwarding is a forwarder on the rings of that name, run from program. Frames flow
// once its process has said so on its standard output.
func forwarding(program, rings string) starter {
	return func(ctx context.Context, p place) (*running, error) {
		c := ForwardConfig{Rings: rings, From: portLink, To: wireLink, CPU: p.cpus[0], Both: p.way == bothWays}
		if p.way == decapOnly {
			c.From, c.To = c.To, c.From
		}
		cmd := p.host.Command(ctx, program, append([]string{"bench", "forward"}, c.args()...)...)
		var log strings.Builder
		cmd.Stderr = &log
		out, err := cmd.StdoutPipe()
		if err != nil {
			return nil, err
		}
		if err := startOn(cmd, p.cpus); err != nil {
			return nil, err
		}
		stop := func() error { return end(cmd, &log) }
		if err := awaitReady(out.(*os.File)); err != nil {
			return nil, errors.Join(fmt.Errorf("wait for the forwarder: %w", err), stop())
		}
		return &running{process: cmd.Process.Pid, stop: stop}, nil
	}
}

const readyLine = "ready"

// SayReady tells on w what the bench waits for.
func SayReady(w io.Writer) { fmt.Fprintln(w, readyLine) }

// awaitReady waits for the other end of a pipe to SayReady.
func awaitReady(pipe *os.File) error {
	if err := pipe.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		return err
	}
	line, err := bufio.NewReader(pipe).ReadString('\n')
	if err == nil && line != readyLine+"\n" {
		err = fmt.Errorf("it said %q", line)
	}
	return err
}
