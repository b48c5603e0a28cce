// Package child starts the programs that are measured, and sees to their end.
package child

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"syscall"
	"time"
)

const (
	patience = 10 * time.Second      // for a server to accept, or to stop
	retry    = 10 * time.Millisecond // between two attempts to connect
)

// Process is a server that has been started.
type Process struct {
	cmd    *exec.Cmd
	cancel context.CancelFunc // sends SIGTERM and, if that does not help, SIGKILL
	diag   bytes.Buffer       // its stderr, to read once ended is closed
	// ended is closed when the process has ended and been waited for.
	ended chan struct{}
}

// Start starts a program on some cores, or on any. It ends with ctx.
func Start(ctx context.Context, cpu []int, program string, args ...string) (*Process, error) {
	return StartWith(ctx, nil, cpu, program, args...)
}

// StartWith is Start with more variables in the program's environment.
func StartWith(ctx context.Context, env []string, cpu []int, program string, args ...string) (*Process, error) {
	return Surroundings{Env: env, CPU: cpu}.Start(ctx, program, args...)
}

// Surroundings are what a program starts with. The zero value is an ordinary program's.
type Surroundings struct {
	Env     []string   // more variables of its environment
	CPU     []int      // the cores on which it runs; none means any
	In, Out *os.File   // its standard input and output, if not nil
	More    []*os.File // its descriptors from 3 on
}

// Start starts a program. It ends with ctx.
func (s Surroundings) Start(ctx context.Context, program string, args ...string) (*Process, error) {
	ctx, cancel := context.WithCancel(ctx)
	c := &Process{cmd: exec.CommandContext(ctx, program, args...), cancel: cancel, ended: make(chan struct{})}
	c.cmd.Env = append(os.Environ(), s.Env...)
	c.cmd.Stderr = &c.diag
	c.cmd.ExtraFiles = s.More
	if s.In != nil {
		c.cmd.Stdin = s.In
	}
	if s.Out != nil {
		c.cmd.Stdout = s.Out
	}
	c.cmd.Cancel = func() error { return c.cmd.Process.Signal(syscall.SIGTERM) }
	c.cmd.WaitDelay = patience
	if err := Pinned(c.cmd.Start, s.CPU); err != nil {
		cancel()
		return nil, err
	}
	go func() {
		defer close(c.ended)
		_ = c.cmd.Wait() //nolint:errcheck // ProcessState has it too
	}()
	return c, nil
}

// PID is the process by its number.
func (c *Process) PID() int { return c.cmd.Process.Pid }

// Ready waits until the server accepts connections.
func (c *Process) Ready(ctx context.Context, addr string) error {
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

// Stop ends the process. With tell, or if the process had ended by itself, it
// returns what that had to say.
func (c *Process) Stop(tell bool) error {
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

// End asks the process to end, which must take no longer than d and come to the
// status 0.
func (c *Process) End(d time.Duration) error {
	defer c.cancel()
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return errors.Join(err, c.Stop(true))
	}
	late := time.NewTimer(d)
	defer late.Stop()
	select {
	case <-c.ended:
	case <-late.C:
		return errors.Join(fmt.Errorf("the server has not ended within %v of being asked to", d), c.kill())
	}
	if !c.cmd.ProcessState.Success() {
		return c.report("was asked to end, and did not end well")
	}
	return nil
}

func (c *Process) kill() error {
	err := c.cmd.Process.Kill()
	<-c.ended
	return err
}

// Ended is closed when the process has ended.
func (c *Process) Ended() <-chan struct{} { return c.ended }

func (c *Process) report(what string) error {
	return fmt.Errorf("the server %s (%s)\n%s", what, c.cmd.ProcessState, c.diag.Bytes())
}

// FreeAddr returns a loopback address that was free a moment ago.
func FreeAddr(ctx context.Context) (string, error) {
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp4", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return ln.Addr().String(), ln.Close()
}

// Build builds the package in a directory into a file. More are arguments for the
// go command.
func Build(ctx context.Context, dir, pkg, file string, more ...string) error {
	return BuildWith(ctx, nil, dir, pkg, file, more...)
}

// BuildWith is Build with more variables in the go command's environment.
func BuildWith(ctx context.Context, env []string, dir, pkg, file string, more ...string) error {
	args := append([]string{"build", "-o", file}, more...)
	cmd := exec.CommandContext(ctx, "go", append(args, pkg)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build %s: %w\n%s", pkg, err, out)
	}
	return nil
}
