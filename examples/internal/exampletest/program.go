// Package exampletest builds and runs the programs of the examples. Only tests that
// run a program import it, so that a copied folder works without them.
package exampletest

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/wye-go/wye/internal/testkit"
)

// Main is for TestMain: it runs the tests, and fails the run if goroutines, sockets,
// pipes or files are left that were not there before.
func Main(m *testing.M) { testkit.Main(m) }

// Patience is how long anything may take that should be there at once. It is
// long, because the machine may have other things to do.
const Patience = 30 * time.Second

// pace is how often something is looked at that does not tell when it changes.
const pace = 10 * time.Millisecond

// Need returns where the first of these programs is that there is, and fails the
// test if there is none.
func Need(t testing.TB, names ...string) string {
	t.Helper()
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatalf("there is no %s here; run `make deps`", strings.Join(names, " or "))
	return ""
}

// Program is an executable file.
type Program string

// Build builds the program of the test's package, under the race detector if the
// test is. It is there until the end of the test.
func Build(t testing.TB) Program {
	t.Helper()
	path := filepath.Join(t.TempDir(), "program.exe") // the ending is needed on Windows and does no harm elsewhere
	args := []string{"build", "-buildvcs=false", "-o", path}
	if testkit.Race {
		args = append(args, "-race")
	}
	cmd := exec.CommandContext(t.Context(), "go", args...) //nolint:gosec // nothing in it comes from outside
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return Program(path)
}

// Start starts the program on a port of its own, with more arguments if there are
// any, and returns when it listens. It is killed at the end of the test if it runs
// then.
func (p Program) Start(t testing.TB, args ...string) *Process {
	t.Helper()
	const taken = "address already in use"
	for range 5 { // somebody else may take a port that is free
		started := p.launch(t, FreeAddr(t), args)
		if started.listens(t) {
			return started
		}
		if !strings.Contains(started.Output(), taken) {
			t.Fatalf("the program ended instead of listening: %v\n%s", started.cmd.ProcessState, started.Output())
		}
	}
	t.Fatal("somebody else has taken every port that was free")
	return nil
}

// StartAt is Start on an address that is given.
func (p Program) StartAt(t testing.TB, addr string, args ...string) *Process {
	t.Helper()
	started := p.launch(t, addr, args)
	if !started.listens(t) {
		t.Fatalf("the program ended instead of listening on %s: %v\n%s", addr, started.cmd.ProcessState, started.Output())
	}
	return started
}

// PortTaken returns a test: on a port that is taken the program ends with a code and
// says why.
func (p Program) PortTaken(args ...string) func(*testing.T) {
	return func(t *testing.T) {
		t.Helper()
		t.Parallel()
		started := p.Start(t, args...)
		code, output := p.Fail(t, started.Addr, args...)
		if code <= 0 || !strings.Contains(output, "listen tcp "+started.Addr) || !strings.Contains(output, "address already in use") {
			t.Errorf("on a port that is taken, the program ended with %d and wrote:\n%s", code, output)
		}
	}
}

// Fail starts the program where it cannot run, on an address or with arguments,
// waits until it has ended, and returns its exit code and what it wrote.
func (p Program) Fail(t testing.TB, addr string, args ...string) (code int, output string) {
	t.Helper()
	started := p.launch(t, addr, args)
	started.wait(t, Patience)
	return started.cmd.ProcessState.ExitCode(), started.Output()
}

// Process is a program that runs.
type Process struct {
	Addr  string // where it listens, host and port
	cmd   *exec.Cmd
	out   output
	over  chan struct{} // closed when it has ended and been waited for
	asked time.Time     // to end
}

func (p Program) launch(t testing.TB, addr string, args []string) *Process {
	t.Helper()
	started := &Process{Addr: addr, over: make(chan struct{})}
	args = append([]string{"-addr", addr}, args...)
	started.cmd = exec.CommandContext(context.Background(), string(p), args...) //nolint:gosec // it is what Build has built
	started.cmd.Stdout, started.cmd.Stderr = &started.out, &started.out
	// A race ends the program at once, with 66; without races its end takes no
	// second of waiting for them.
	started.cmd.Env = append(os.Environ(), "GORACE=halt_on_error=1 atexit_sleep_ms=0")
	if err := started.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(started.over)
		_ = started.cmd.Wait() //nolint:errcheck // ProcessState says it
	}()
	t.Cleanup(func() {
		_ = started.cmd.Process.Kill() //nolint:errcheck // it may have ended
		<-started.over
		if t.Failed() {
			t.Logf("the program on %s: %v; it wrote:\n%s", addr, started.cmd.ProcessState, started.Output())
		}
	})
	return started
}

// listens waits until the program listens or has ended.
func (p *Process) listens(t testing.TB) bool {
	t.Helper()
	return p.await(t, true)
}

// WantDeaf waits until the program does not listen any more. It may still run.
func (p *Process) WantDeaf(t testing.TB) {
	t.Helper()
	p.await(t, false)
}

// await waits until the program listens, or not, or has ended. It reports
// whether it listens.
func (p *Process) await(t testing.TB, listening bool) bool {
	t.Helper()
	look := time.NewTicker(pace)
	defer look.Stop()
	late := time.NewTimer(Patience)
	defer late.Stop()
	for {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", p.Addr)
		if err == nil {
			conn.Close()
		}
		if (err == nil) == listening {
			return listening
		}
		select {
		case <-look.C:
		case <-p.over:
			return false
		case <-late.C:
			t.Fatalf("after %v, the program's listening on %s is not %t: %v\n%s", Patience, p.Addr, listening, err, p.Output())
		}
	}
}

// Terminate asks the program to end, as a service manager does: with SIGTERM.
func (p *Process) Terminate(t testing.TB) {
	t.Helper()
	p.asked = time.Now()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatalf("SIGTERM: %v", err)
	}
}

// Kill ends the program at once, as a crash does, and waits until it has ended.
// StartAt may start it again where it was.
func (p *Process) Kill(t testing.TB) {
	t.Helper()
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatalf("SIGKILL: %v", err)
	}
	p.wait(t, Patience)
}

// WantExit waits until the program has ended, which must be with code, and so
// soon after Terminate.
func (p *Process) WantExit(t testing.TB, code int, soon time.Duration) {
	t.Helper()
	p.wait(t, soon-time.Since(p.asked))
	if got := p.cmd.ProcessState.ExitCode(); got != code {
		t.Fatalf("the program ended with %v, want %d; it wrote:\n%s", p.cmd.ProcessState, code, p.Output())
	}
}

func (p *Process) wait(t testing.TB, patience time.Duration) {
	t.Helper()
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case <-p.over:
	case <-late.C:
		t.Fatalf("the program still runs; it wrote:\n%s", p.Output())
	}
}

// Output is what the program has written so far.
func (p *Process) Output() string { return p.out.String() }

// HTTP is the program's URL of path, which begins with a slash.
func (p *Process) HTTP(path string) string { return fmt.Sprintf("http://%s%s", p.Addr, path) }

// WS is HTTP for WebSocket.
func (p *Process) WS(path string) string { return fmt.Sprintf("ws://%s%s", p.Addr, path) }

// Ports that no system gives away by itself, to whoever listens on port 0 or
// dials. One of those would be somebody else's now and then by the time the
// program listens.
const (
	firstPort = 10_000
	lastPort  = 32_000
)

// FreeAddr is an address of this machine where nobody listens now. It finds out
// by dialing: if it listened itself, processes that are being started beside it
// would share its listener for a moment, and go on listening when it is closed.
func FreeAddr(t testing.TB) string {
	t.Helper()
	for range 100 {
		port := firstPort + rand.IntN(lastPort-firstPort) //nolint:gosec // it is no secret
		addr := fmt.Sprintf("127.0.0.1:%d", port)
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", addr)
		if err != nil {
			return addr
		}
		conn.Close()
	}
	t.Fatal("somebody listens everywhere")
	return ""
}

// output is a buffer that may be read while it is written to.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}
