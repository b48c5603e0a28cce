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
	"github.com/wye-go/wye/bench/internal/machine"
)

// TestBench builds the floor and the load generator and does a small round.
func TestBench(t *testing.T) {
	svs, err := pick(servers, "floor,floor-raw")
	if err != nil {
		t.Fatal(err)
	}
	ghost := &server{name: "ghost", dir: "./ghost", mode: "ws"}
	opt := options{dir: "..", rounds: 2, rare: 1, duration: 50 * time.Millisecond, limit: time.Minute, progress: t.Output()}
	b, err := newBench(t.Context(), opt, append(svs, ghost))
	if err != nil {
		t.Fatal(err)
	}
	if got := b.results.LeftOut["ghost"]; !strings.Contains(got, "no package ./ghost") {
		t.Errorf("ghost is left out because of %q", got)
	}
	scs := []*scenario{
		{name: "echo", args: []string{"echo", "-conns", "3", "-warmup", "0s"}},
		{name: "handshake", args: []string{"handshake", "-conns", "3", "-warmup", "0s"}},
		{name: "room", args: []string{"room", "-members", "3", "-warmup", "0s"}, path: "/events/bench"},
		{name: "idle", args: []string{"idle", "-conns", "3", "-hello", "-warmup", "0s"}, path: "/member/x", table: memory},
		{name: "paced", args: []string{"paced", "-conns", "3", "-warmup", "0s"}, path: "/echo", table: pauses, spread: true},
		{name: "broken", args: []string{"echo", "-conns", "3"}, path: "/nowhere", only: []string{"floor"}},
	}
	if err := b.rounds(t.Context(), scs); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[[2]string]int{
		{"echo", "floor"}: 2, {"handshake", "floor"}: 2, {"room", "floor"}: 2, {"idle", "floor"}: 1, {"paced", "floor"}: 1,
		{"echo", "floor-raw"}: 2, {"room", "floor-raw"}: 0, {"broken", "floor"}: 0, {"echo", "ghost"}: 0,
	} {
		if got := len(b.results.of(key[0], key[1])); got != want {
			t.Errorf("%s of %s: %d runs, want %d", key[0], key[1], got, want)
		}
	}
	if rs := b.results.of("idle", "floor"); len(rs) == 1 && rs[0].Server.HeapPerConn == 0 {
		t.Error("the floor was not probed")
	}
	if lines := b.results.failures(); len(lines) != 1 || !strings.Contains(lines[0], "floor, broken: ") {
		t.Errorf("failures %q, want the one of the broken scenario", lines)
	}
	if err := b.close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(b.bin); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the programs are still there: %v", err)
	}
}

func TestLimit(t *testing.T) {
	b := &bench{options: options{rounds: 1, rare: 1, progress: t.Output()}, servers: servers}
	if err := b.rounds(t.Context(), scenarios()); err != nil {
		t.Fatal(err)
	}
	if got := newReport(&b.results).markdown(false); len(b.results.Runs) > 0 || !strings.Contains(got, "stopped by the limit of time, after 0s") {
		t.Errorf("%d runs, and the report\n%s", len(b.results.Runs), got)
	}
}

func TestNoServer(t *testing.T) {
	ghost := &server{name: "ghost", dir: "./ghost", mode: "ws"}
	_, err := newBench(t.Context(), options{dir: "..", progress: t.Output()}, []*server{ghost})
	if err == nil || !strings.Contains(err.Error(), "server ghost: there is no package ./ghost") {
		t.Errorf("got %v, want an error that names the server", err)
	}
}

// TestPlan has every server play what it can, and rare scenarios in fewer rounds.
func TestPlan(t *testing.T) {
	b := &bench{options: options{rounds: 5, rare: 3}, servers: servers}
	runs := map[[2]string]int{}
	for _, p := range b.plan(scenarios()) {
		runs[[2]string{p.scenario.name, p.server.name}]++
	}
	for key, want := range map[[2]string]int{
		{"echo", "floor"}: 5, {"echo", "floor-raw"}: 5, {"room", "floor-raw"}: 0, {"room", "coder"}: 5,
		{"events", "gws"}: 0, {"events", loopEngine}: 5, {"idle", "gws"}: 3, {"idle-tls", loopEngine}: 0,
		{"paced", "floor"}: 0, {"paced-sleep", loopEngine}: 3, {"scale-work-p2", "fib"}: 3,
	} {
		if got := runs[key]; got != want {
			t.Errorf("%s of %s: %d runs, want %d", key[0], key[1], got, want)
		}
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
	for _, name := range []string{"floor", "wye", loopEngine, goroutineEngine} {
		if _, err := pick(servers, name); err != nil {
			t.Error(err)
		}
	}
}

func TestPinned(t *testing.T) {
	two, err := machine.TwoCores()
	if err != nil {
		t.Skip(err)
	}
	var out strings.Builder
	cmd := exec.Command("nproc")
	cmd.Stdout = &out
	if err := child.Pinned(cmd.Start, two.Server); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil || strings.TrimSpace(out.String()) != "1" {
		t.Errorf("the process sees %q cores, %v, want 1", out.String(), err)
	}
}
