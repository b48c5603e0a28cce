//go:build linux

package main

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/wye-go/wye/bench/internal/child"
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

func TestPinned(t *testing.T) {
	two, err := twoCPUs()
	if err != nil {
		t.Skip(err)
	}
	var out strings.Builder
	cmd := exec.Command("nproc")
	cmd.Stdout = &out
	if err := child.Pinned(cmd.Start, two.server); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil || strings.TrimSpace(out.String()) != "1" {
		t.Errorf("the process sees %q cores, %v, want 1", out.String(), err)
	}
}
