package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

const (
	patience = 30 * time.Second // for a process to be ready
	grace    = 10 * time.Second // for it to end, before it is killed, and to answer
	pause    = time.Second      // before it is started again
)

// service is a process that is started again when it ends.
type service struct {
	name    string
	command []string
	user    account   // who runs it
	addr    string    // where it listens
	url     string    // what it is at, for people
	stop    os.Signal // what ends it in an orderly way
	probe   []string  // a command that succeeds when the process is ready; nil: it answers on addr
	log     string    // the file of its output
	out     io.Writer

	cancel context.CancelFunc
	over   chan struct{} // closed when the process has ended for good
}

// start starts the process, and returns when it accepts connections.
func (s *service) start(ctx context.Context) error {
	life, cancel := context.WithCancel(context.WithoutCancel(ctx)) // end comes after ctx
	s.cancel, s.over = cancel, make(chan struct{})
	first := make(chan error, 1)
	go s.keep(life, first)
	select {
	case err := <-first:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// keep runs the process again and again. first gets what came of the first start. Linux
// kills the process when the thread ends that has started it, which is this goroutine's.
func (s *service) keep(ctx context.Context, first chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(s.over)
	for {
		err := s.once(ctx, first)
		if ctx.Err() != nil {
			return
		}
		fmt.Fprintf(s.out, "%s has ended (%v) and is started again\n", s.name, err)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
	}
}

// once runs the process until it ends, or until ctx ends.
func (s *service) once(ctx context.Context, first chan<- error) error {
	file, err := os.OpenFile(s.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return answer(first, err)
	}
	defer file.Close()
	cmd := exec.CommandContext(ctx, s.command[0], s.command[1:]...) //nolint:gosec // the programs of this package
	cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = file, file, s.user.attributes()
	cmd.Cancel = func() error { return cmd.Process.Signal(s.stop) }
	cmd.WaitDelay = grace
	if err := cmd.Start(); err != nil {
		return answer(first, err)
	}
	ended, ready := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ready)
		err := s.ready(ended)
		if err == nil {
			fmt.Fprintf(s.out, "%-9s %s pid %d\n", s.name, s.url, cmd.Process.Pid)
		}
		_ = answer(first, err) //nolint:errcheck // it is err
	}()
	err = cmd.Wait()
	close(ended)
	<-ready
	return err
}

// answer reports the first start. Later ones have no reader.
func answer(first chan<- error, err error) error {
	select {
	case first <- err:
	default:
	}
	return err
}

// ready waits until the process answers, or has ended.
func (s *service) ready(ended <-chan struct{}) error {
	late := time.After(patience)
	for {
		if s.answers() {
			return nil
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ended:
			return fmt.Errorf("%s has ended instead of listening; it wrote:\n%s", s.name, tail(s.log))
		case <-late:
			return fmt.Errorf("%s does not listen on %s; it wrote:\n%s", s.name, s.addr, tail(s.log))
		}
	}
}

// answers reports whether the process accepts connections, and answers requests if it is a
// web server: the chat accepts before it has its database.
func (s *service) answers() bool {
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	if s.probe != nil {
		return exec.CommandContext(ctx, s.probe[0], s.probe[1:]...).Run() == nil //nolint:gosec // a program of this package
	}
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", s.addr)
	if err != nil {
		return false
	}
	defer conn.Close()
	if !strings.HasPrefix(s.url, "http:") {
		return true
	}
	end, _ := ctx.Deadline()
	_ = conn.SetDeadline(end) //nolint:errcheck // the connection is open
	if _, err := io.WriteString(conn, "HEAD / HTTP/1.0\r\n\r\n"); err != nil {
		return false
	}
	_, err = conn.Read(make([]byte, 1))
	return err == nil
}

// end ends the process for good.
func (s *service) end() {
	if s.cancel != nil {
		s.cancel()
		<-s.over
	}
}

// tail returns the end of a file.
func tail(name string) string {
	const most = 4 << 10
	b, err := os.ReadFile(name) //nolint:gosec // a log of our own
	if err != nil {
		return err.Error()
	}
	return string(b[max(0, len(b)-most):])
}

// freeAddr returns an address of this machine where nothing listens, outside the range
// from which the system takes the ports of outgoing connections.
func freeAddr() (string, error) {
	for range 100 {
		addr := fmt.Sprintf("127.0.0.1:%d", 10_000+rand.IntN(22_000)) //nolint:gosec // it need not be secret
		l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", addr)
		if err == nil {
			return addr, l.Close()
		}
	}
	return "", errors.New("no free port was found on 127.0.0.1")
}
