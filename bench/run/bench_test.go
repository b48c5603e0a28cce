//go:build linux

package main

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestBench builds the floor and the load generator and does a small round.
func TestBench(t *testing.T) {
	svs, err := pick(servers, "floor,floor-raw")
	if err != nil {
		t.Fatal(err)
	}
	b, err := newBench(t.Context(), options{dir: "..", rounds: 1, duration: 50 * time.Millisecond, progress: t.Output()}, svs)
	if err != nil {
		t.Fatal(err)
	}
	scs := []scenario{
		{"echo", "echo", []string{"echo", "-conns", "3", "-warmup", "0s"}},
		{"handshake", "handshake", []string{"handshake", "-conns", "3", "-warmup", "0s"}},
		{"room", "room", []string{"room", "-members", "3", "-warmup", "0s"}},
		{"idle", "idle", []string{"idle", "-conns", "3", "-warmup", "0s"}},
	}
	if err := b.rounds(t.Context(), svs, scs); err != nil {
		t.Fatal(err)
	}
	for _, sc := range scs {
		for _, s := range svs {
			if got, want := len(b.results[cell{sc.name, s.name}]) == 1, s.plays(sc); got != want {
				t.Errorf("%s of %s: run is %v, want %v", sc.name, s.name, got, want)
			}
		}
	}
	if err := b.close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(b.bin); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the programs are still there: %v", err)
	}
}

func TestMissingServer(t *testing.T) {
	ghost := server{name: "ghost", dir: "./ghost", mode: "ws"}
	_, err := newBench(t.Context(), options{dir: ".."}, []server{servers[0], ghost})
	if err == nil || !strings.Contains(err.Error(), "server ghost: there is no package ./ghost") {
		t.Errorf("got %v, want an error that names the server", err)
	}
}

func TestPick(t *testing.T) {
	if _, err := pick(servers, "floor,nope"); err == nil || !strings.Contains(err.Error(), `"nope"`) {
		t.Errorf("got %v, want an error that names what is not there", err)
	}
	all, err := pick(scenarios(), "")
	if err != nil || len(all) != len(scenarios()) {
		t.Errorf("got %d, %v, want all", len(all), err)
	}
	for _, name := range []string{"floor", "wye"} {
		if _, err := pick(servers, name); err != nil {
			t.Error(err)
		}
	}
}

// TestChildThatFails has a server that ends with an error before it accepts.
func TestChildThatFails(t *testing.T) {
	c, err := startChild(t.Context(), nil, "sh", "-c", "echo no luck >&2; exit 3")
	if err != nil {
		t.Fatal(err)
	}
	addr, err := freeAddr(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := c.ready(t.Context(), addr); err == nil {
		t.Error("ready, though nothing listens")
	}
	if err := c.stop(true); err == nil || !strings.Contains(err.Error(), "no luck") || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("got %v, want what it has said and its status", err)
	}
}

func TestChildIsStopped(t *testing.T) {
	ln, err := net.Listen("tcp4", "127.0.0.1:0") // accepts in its place
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	c, err := startChild(t.Context(), nil, "tail", "-f", "/dev/null")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.ready(t.Context(), ln.Addr().String()); err != nil {
		t.Error(err)
	}
	if err := c.stop(false); err != nil {
		t.Error(err)
	}
	if err := syscall.Kill(c.pid(), 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("the process is still there: %v", err)
	}
}

func TestPinned(t *testing.T) {
	two, err := twoCPUs()
	if err != nil {
		t.Skip(err)
	}
	var out strings.Builder
	cmd := exec.Command("nproc")
	cmd.Stdout = &out
	if err := pinned(cmd.Start, two.server); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil || strings.TrimSpace(out.String()) != "1" {
		t.Errorf("the process sees %q cores, %v, want 1", out.String(), err)
	}
}
