package lab

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// stopGrace is how long a program has to answer SIGTERM before it is killed: gw removes what it made in that time.
const stopGrace = 2 * time.Second

// Cmd is an exec.Cmd whose program runs in a host's namespace. Set Stdout, Stderr, Env and the like before Start.
type Cmd struct {
	*exec.Cmd
	host *Host

	once sync.Once
	err  error
}

// Command prepares a program to run in the host's namespace. It starts in a process group of its own, so that Ctrl-C on
// the terminal reaches the caller only. When ctx ends, and when the lab is closed, it gets SIGTERM and two seconds
// later SIGKILL.
func (h *Host) Command(ctx context.Context, name string, args ...string) *Cmd {
	c := &Cmd{Cmd: exec.CommandContext(ctx, name, args...), host: h}
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Cancel = func() error { return c.Process.Signal(syscall.SIGTERM) }
	c.WaitDelay = stopGrace
	return c
}

// Start starts the program, which belongs to the lab until Wait returns. Call Wait once Start has succeeded.
func (c *Cmd) Start() error {
	l := c.host.lab
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return fmt.Errorf("start %s in %s: lab %s is closed", c.Path, c.host.name, l.name)
	}
	// fork(2) hands on the namespace of the thread that calls it.
	if err := c.host.Do(c.Cmd.Start); err != nil {
		return fmt.Errorf("start %s in %s: %w", c.Path, c.host.name, err)
	}
	l.procs[c] = struct{}{}
	return nil
}

// Wait waits for the program to end, as exec.Cmd does. It may be called more than once and from several goroutines.
func (c *Cmd) Wait() error {
	c.once.Do(func() {
		c.err = c.Cmd.Wait()
		l := c.host.lab
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.procs, c) // a closed lab has none: deleting from nil is fine
	})
	return c.err
}

// Run is Start and Wait.
func (c *Cmd) Run() error {
	if err := c.Start(); err != nil {
		return err
	}
	return c.Wait()
}

// Output runs the program and returns its standard output.
func (c *Cmd) Output() ([]byte, error) {
	var out bytes.Buffer
	c.Stdout = &out
	err := c.Run()
	return out.Bytes(), err
}

// CombinedOutput runs the program and returns its standard output and standard error as one.
func (c *Cmd) CombinedOutput() ([]byte, error) {
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	err := c.Run()
	return out.Bytes(), err
}

// stopAll ends programs side by side and returns when all are gone. They are waited for here if nobody else does.
func stopAll(procs map[*Cmd]struct{}) {
	var wg sync.WaitGroup
	for c := range procs {
		wg.Go(func() {
			_ = c.Process.Signal(syscall.SIGTERM) // fails if it is gone, which is what we want
			kill := time.AfterFunc(stopGrace, func() { _ = c.Process.Kill() })
			defer kill.Stop()
			_ = c.Wait() // how it ended is the affair of who started it
		})
	}
	wg.Wait()
}
