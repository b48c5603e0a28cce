package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// runMain is the environment variable that makes this test binary run the program.
const runMain = "EXAMPLE_RUN_MAIN"

// TestMain runs the tests, and fails the run if they leave goroutines or open files. In
// a process of startProgram it runs the program instead.
func TestMain(m *testing.M) {
	if os.Getenv(runMain) != "" {
		main()
		return
	}
	debug.SetGCPercent(-1) // the garbage collector would close files that were forgotten
	debug.SetMemoryLimit(1 << 30)
	goroutines, files := runtime.NumGoroutine(), len(openFiles())
	code := m.Run()
	for end := time.Now().Add(5 * time.Second); code == 0; <-time.After(20 * time.Millisecond) {
		moreGoroutines, moreFiles := runtime.NumGoroutine()-goroutines, len(openFiles())-files
		if moreGoroutines <= 0 && moreFiles <= 0 {
			break
		}
		if time.Now().After(end) {
			fmt.Fprintf(os.Stderr, "FAIL: the tests left %d goroutines and %d open files of:\n%s\n",
				moreGoroutines, moreFiles, strings.Join(openFiles(), "\n"))
			_ = pprof.Lookup("goroutine").WriteTo(os.Stderr, 2)
			code = 1
		}
	}
	os.Exit(code)
}

// openFiles returns the sockets, pipes and files that the process has open. On systems
// without /proc it returns none.
func openFiles() (files []string) {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return nil
	}
	for _, e := range entries {
		target, err := os.Readlink("/proc/self/fd/" + e.Name())
		switch {
		case err != nil, strings.HasPrefix(target, "anon_inode:"): // epoll and eventfd of the runtime
		case strings.HasPrefix(target, "/proc/"), strings.HasPrefix(target, "/sys/"), strings.HasPrefix(target, "/dev/"):
		default:
			files = append(files, e.Name()+" "+target)
		}
	}
	return files
}

const (
	patience = 30 * time.Second // for what takes a moment on an idle machine
	soon     = 5 * time.Second  // for the program to exit after Terminate
)

// process is the program in a process of its own.
type process struct {
	Addr       string // host and port of its listener
	cmd        *exec.Cmd
	out        output
	exited     chan struct{} // closed when the process has exited
	terminated time.Time     // the time of Terminate
}

// startProgram starts the program on a free port and returns when it listens. args
// follow -addr. The process is killed when the test ends.
func startProgram(t *testing.T, args ...string) *process {
	t.Helper()
	for range 5 { // another process may take the port first
		p := launch(t, freeAddr(t), args)
		if p.await(t, true) {
			return p
		}
		if !strings.Contains(p.Output(), "address already in use") {
			t.Fatalf("the program exited instead of listening: %v\n%s", p.cmd.ProcessState, p.Output())
		}
	}
	t.Fatal("other processes took every free port")
	return nil
}

// failProgram starts the program on addr, where it is expected to exit by itself, and
// returns its exit code and its output.
func failProgram(t *testing.T, addr string, args ...string) (code int, output string) {
	t.Helper()
	p := launch(t, addr, args)
	p.wait(t, patience)
	return p.cmd.ProcessState.ExitCode(), p.Output()
}

// wantPortTaken checks that the program exits with an error that names a port which
// another process has taken.
func wantPortTaken(t *testing.T, args ...string) {
	t.Helper()
	addr := startProgram(t, args...).Addr
	code, output := failProgram(t, addr, args...)
	if code <= 0 || !strings.Contains(output, "listen tcp "+addr) || !strings.Contains(output, "address already in use") {
		t.Errorf("on a port that is taken, the program exited with %d and wrote:\n%s", code, output)
	}
}

// launch starts this test binary as the program.
func launch(t *testing.T, addr string, args []string) *process {
	t.Helper()
	p := &process{Addr: addr, exited: make(chan struct{})}
	p.cmd = exec.Command(os.Args[0], append([]string{"-addr", addr}, args...)...) // killed in Cleanup
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.out
	// A data race ends the program at once, with exit code 66.
	p.cmd.Env = append(os.Environ(), runMain+"=1", "GORACE=halt_on_error=1 atexit_sleep_ms=0")
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.exited)
		_ = p.cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.exited
		if t.Failed() {
			t.Logf("the program on %s: %v; it wrote:\n%s", addr, p.cmd.ProcessState, p.Output())
		}
	})
	return p
}

// await waits until the program listens, or until it does not. It returns false if the
// program does not listen or has exited.
func (p *process) await(t *testing.T, listening bool) bool {
	t.Helper()
	timeout := time.After(patience)
	for {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", p.Addr)
		if err == nil {
			conn.Close()
		}
		if (err == nil) == listening {
			return listening
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-p.exited:
			return false
		case <-timeout:
			t.Fatalf("after %v, listening on %s is not %t: %v\n%s", patience, p.Addr, listening, err, p.Output())
		}
	}
}

// Terminate sends SIGTERM, as a service manager does.
func (p *process) Terminate(t *testing.T) {
	t.Helper()
	p.terminated = time.Now()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatalf("SIGTERM: %v", err)
	}
}

// WantExit checks that the program exits with code 0 soon after Terminate.
func (p *process) WantExit(t *testing.T) {
	t.Helper()
	p.wait(t, soon-time.Since(p.terminated))
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		t.Fatalf("the program exited with %v, want 0; it wrote:\n%s", p.cmd.ProcessState, p.Output())
	}
}

func (p *process) wait(t *testing.T, timeout time.Duration) {
	t.Helper()
	select {
	case <-p.exited:
	case <-time.After(timeout):
		t.Fatalf("the program still runs; it wrote:\n%s", p.Output())
	}
}

// Output returns what the program has written so far.
func (p *process) Output() string { return p.out.String() }

// freeAddr returns an address of this machine where no process listens. Its port is
// outside the range from which the system takes the ports of outgoing connections.
// It does not listen itself: a process that another test starts at that moment would
// inherit the listener.
func freeAddr(t *testing.T) string {
	t.Helper()
	for range 100 {
		addr := fmt.Sprintf("127.0.0.1:%d", 10_000+rand.IntN(22_000))
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", addr)
		if err != nil {
			return addr
		}
		conn.Close()
	}
	t.Fatal("no free port was found")
	return ""
}

// output is a buffer for concurrent use.
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
