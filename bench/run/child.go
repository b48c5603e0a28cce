package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"syscall"
	"time"
)

const (
	patience = 10 * time.Second      // for a server to accept, or to stop
	retry    = 10 * time.Millisecond // between two attempts to connect
)

// child is a server process.
type child struct {
	cmd    *exec.Cmd
	cancel context.CancelFunc // sends SIGTERM and, if that does not help, SIGKILL
	diag   bytes.Buffer       // its stderr, to read once ended is closed
	// ended is closed when the process has ended and been waited for.
	ended chan struct{}
}

// startChild starts a program, which ends with ctx.
func startChild(ctx context.Context, cpu []int, program string, args ...string) (*child, error) {
	ctx, cancel := context.WithCancel(ctx)
	c := &child{cmd: exec.CommandContext(ctx, program, args...), cancel: cancel, ended: make(chan struct{})}
	c.cmd.Stderr = &c.diag
	c.cmd.Cancel = func() error { return c.cmd.Process.Signal(syscall.SIGTERM) }
	c.cmd.WaitDelay = patience
	if err := pinned(c.cmd.Start, cpu); err != nil {
		cancel()
		return nil, err
	}
	go func() {
		defer close(c.ended)
		_ = c.cmd.Wait() //nolint:errcheck // ProcessState has it too
	}()
	return c, nil
}

func (c *child) pid() int { return c.cmd.Process.Pid }

// ready waits until the server accepts connections.
func (c *child) ready(ctx context.Context, addr string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	again := time.NewTicker(retry)
	defer again.Stop()
	var d net.Dialer
	for {
		conn, err := d.DialContext(ctx, "tcp4", addr)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-again.C:
		case <-c.ended:
			return errors.New("the server has ended before it accepted a connection")
		case <-ctx.Done():
			return fmt.Errorf("the server does not accept: %w", err)
		}
	}
}

// stop ends the process. With tell, or if the process had ended by itself, it
// returns what that had to say.
func (c *child) stop(tell bool) error {
	defer c.cancel()
	select {
	case <-c.ended:
		return c.report("ended by itself")
	default:
	}
	c.cancel()
	<-c.ended
	if tell {
		return c.report("was stopped")
	}
	return nil
}

func (c *child) report(what string) error {
	return fmt.Errorf("the server %s (%s)\n%s", what, c.cmd.ProcessState, c.diag.Bytes())
}
