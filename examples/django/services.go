package main

import (
	"bytes"
	"context"
	"fmt"
	"log"
	"net"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// service is a program that runs as long as this one.
type service struct {
	name    string
	addr    string // where it listens
	dir     string
	command []string
	env     []string // beside that of this program
	quiet   bool     // what it writes is logged only if it fails
}

// services are the services that run, in the order of their start.
type services struct {
	pause   time.Duration // before one that has ended is started again
	running []running
}

type running struct {
	stop  context.CancelFunc
	ended <-chan struct{}
}

// startTime is how long a service may take to listen.
const startTime = time.Minute

// start starts a service and returns when it listens. A service that ends later is started
// again, until stop is called.
func (all *services) start(ctx context.Context, s service) error {
	// Ctrl-C does not end it: Wye closes its connections first.
	lasting, stop := context.WithCancel(context.WithoutCancel(ctx))
	failed, ended := make(chan error, 1), make(chan struct{})
	all.running = append(all.running, running{stop, ended})
	go func() {
		defer close(ended)
		// The system ends the process when this program has ended, which to Linux means: the
		// thread that started it. So the goroutine keeps its thread.
		runtime.LockOSThread()
		s.keepRunning(lasting, all.pause, failed)
	}()
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	return s.waitListening(ctx, failed)
}

// stop stops the services, the last one first.
func (all *services) stop() {
	for _, r := range slices.Backward(all.running) {
		r.stop()
		<-r.ended
	}
}

// keepRunning runs the service until ctx is done. failed receives the error of its first
// end.
func (s *service) keepRunning(ctx context.Context, pause time.Duration, failed chan<- error) {
	for {
		err := s.run(ctx)
		if ctx.Err() != nil {
			return
		}
		select {
		case failed <- err:
		default: // nobody waits
		}
		log.Printf("%s: ended: %v; it is started again in %v", s.name, err, pause)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
	}
}

// run runs the command, and returns its error. When ctx is done, the command gets SIGTERM,
// and is killed if it has not ended 5 seconds later.
func (s *service) run(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, s.command[0], s.command[1:]...) //nolint:gosec // the commands are those above
	cmd.Dir, cmd.Env = s.dir, append(os.Environ(), s.env...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	out := &lines{prefix: s.name + ": ", quiet: s.quiet}
	cmd.Stdout, cmd.Stderr = out, out
	endWithParent(cmd)
	if err := cmd.Start(); err != nil {
		return err
	}
	log.Printf("%s: process %d: %s", s.name, cmd.Process.Pid, strings.Join(s.command, " "))
	err := cmd.Wait()
	if err != nil && ctx.Err() == nil {
		out.flush()
	}
	return err
}

// waitListening returns when something listens, or with an error if the service has ended.
func (s *service) waitListening(ctx context.Context, failed <-chan error) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", s.addr)
		if err == nil {
			return conn.Close()
		}
		select {
		case err := <-failed:
			return fmt.Errorf("%s has ended: %w", s.name, err)
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w", s.name, ctx.Err())
		case <-tick.C:
		}
	}
}

// lines writes what a service writes to the log, line by line. Only one goroutine uses it.
type lines struct {
	prefix string
	quiet  bool
	text   []byte // not logged yet
}

func (l *lines) Write(b []byte) (int, error) {
	l.text = append(l.text, b...)
	if l.quiet {
		l.text = l.text[max(0, len(l.text)-2000):]
		return len(b), nil
	}
	if end := bytes.LastIndexByte(l.text, '\n'); end >= 0 {
		rest := bytes.Clone(l.text[end+1:])
		l.text = l.text[:end]
		l.flush()
		l.text = rest
	}
	return len(b), nil
}

func (l *lines) flush() {
	for line := range bytes.Lines(l.text) {
		if line = bytes.TrimSpace(line); len(line) > 0 {
			log.Printf("%s%s", l.prefix, line)
		}
	}
	l.text = nil
}
