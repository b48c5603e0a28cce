//go:build unix

package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// runMain is the environment variable that makes this test binary run the program.
const runMain = "CLUSTER_RUN_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(runMain) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// TestEnds: the servers end with the program, however that ends, and their folders go.
func TestEnds(t *testing.T) {
	t.Parallel()
	if testing.Short() || runtime.GOOS != "linux" {
		t.Skip("this test needs Linux, PostgreSQL and Redis; go test without -short runs it")
	}
	for name, end := range map[string]func(t *testing.T, shell *os.Process, pid int){
		"interrupted": func(t *testing.T, _ *os.Process, pid int) { t.Helper(); signalProcess(t, pid, syscall.SIGINT) },
		"terminated":  func(t *testing.T, _ *os.Process, pid int) { t.Helper(); signalProcess(t, pid, syscall.SIGTERM) },
		"orphaned":    func(t *testing.T, shell *os.Process, _ int) { t.Helper(); signalProcess(t, shell.Pid, syscall.SIGKILL) },
		"killed":      func(t *testing.T, _ *os.Process, pid int) { t.Helper(); signalProcess(t, pid, syscall.SIGKILL) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			// A shell is the parent, and writes the ID of the program first.
			shell := exec.Command("sh", "-c", `"$0" -nodes 0 & echo $!; wait`, os.Args[0])
			shell.Env = append(os.Environ(), runMain+"=1", "TMPDIR="+dir)
			out, err := shell.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := shell.Start(); err != nil {
				t.Fatal(err)
			}
			in := bufio.NewScanner(out)
			pid, addrs := 0, []string(nil)
			for len(addrs) < 2 && in.Scan() {
				if pid == 0 {
					if _, err := fmt.Sscan(in.Text(), &pid); err != nil {
						t.Fatalf("the shell wrote %q", in.Text())
					}
					continue
				}
				addrs = append(addrs, regexp.MustCompile(`127\.0\.0\.1:\d+`).FindString(in.Text()))
			}
			if len(addrs) < 2 {
				t.Fatal("the servers did not start")
			}
			end(t, shell.Process, pid)
			_ = shell.Wait()
			for _, addr := range addrs {
				wantClosed(t, addr)
			}
			if name != "killed" {
				wantEmpty(t, dir)
			}
		})
	}
}

func signalProcess(t *testing.T, pid int, s syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(pid, s); err != nil {
		t.Fatal(err)
	}
}

// wantClosed waits until nothing listens on an address.
func wantClosed(t *testing.T, addr string) {
	t.Helper()
	for end := time.Now().Add(patience); ; <-time.After(20 * time.Millisecond) {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", addr)
		if err != nil {
			return
		}
		conn.Close()
		if time.Now().After(end) {
			t.Fatalf("a server still listens on %s", addr)
		}
	}
}

// wantEmpty waits until a folder is empty.
func wantEmpty(t *testing.T, dir string) {
	t.Helper()
	for end := time.Now().Add(patience); ; <-time.After(20 * time.Millisecond) {
		left, err := os.ReadDir(dir)
		if err == nil && len(left) == 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("left are %v (%v)", left, err)
		}
	}
}

// TestMissingProgram: the error says which package has it.
func TestMissingProgram(t *testing.T) {
	t.Parallel()
	_, err := find("no-such-program", "no-such-package")
	if err == nil || !strings.Contains(err.Error(), "no-such-program is not installed; install it (Debian: apt-get install no-such-package)") {
		t.Errorf("got %v", err)
	}
}
