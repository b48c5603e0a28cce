package soak_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wye-go/wye/bench/internal/child"
	"github.com/wye-go/wye/bench/internal/soak"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol/websocket"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// build builds the program that serves.
func build(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "soak")
	var more []string
	if testkit.Race {
		more = append(more, "-race")
	}
	if err := child.Build(t.Context(), "../..", "./soak", program, more...); err != nil {
		t.Fatal(err)
	}
	return program
}

// mixed is a server of each engine.
var mixed = []websocket.Engine{websocket.EngineLoop, websocket.EngineGoroutine}

// TestRun is a short soak. What it shows must add up; the long one is a make target.
func TestRun(t *testing.T) {
	t.Parallel()
	r, err := soak.Run(t.Context(), soak.Config{
		Program: build(t), Engines: mixed, Duration: 5 * time.Second, Rate: 50, Idle: 20, Progress: t.Output(),
	})
	t.Logf("\n%v", &r)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Lives) < 10 || r.After.Accepted < 50 || len(r.After.Disconnects) < 5 {
		t.Errorf("%d kinds of peers, %d accepted, %d close codes: too little has happened",
			len(r.Lives), r.After.Accepted, len(r.After.Disconnects))
	}
}

// TestFindsFaults has the result of a run that went wrong in each way.
func TestFindsFaults(t *testing.T) {
	t.Parallel()
	r := soak.Result{Before: soak.Report{Goroutines: 5, Descriptors: 5}}
	r.After = soak.Report{Goroutines: 9, Descriptors: 6, Heap: 1 << 30, AfterEnd: 1}
	r.After.Open, r.After.Accepted = 1, 2
	err := r.Check()
	for _, want := range []string{
		"1 connections are still open", "9 goroutines", "6 descriptors", "bytes of heap",
		"2 connections accepted, 0 disconnected", "1 callbacks ran",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// TestCrowd is a small crowd, in rooms of which the last is not full.
func TestCrowd(t *testing.T) {
	t.Parallel()
	c := soak.Crowd{Program: build(t), Engines: mixed, Conns: 150, Talks: 2, Progress: t.Output()}
	r, err := c.Run(t.Context())
	t.Logf("\n%v", &r)
	if r.Idle.Open != 150 || r.Quiet.Open != 150 || r.Gone.Open != 0 {
		t.Errorf("%d, %d and %d connections, want 150, 150 and 0: %v", r.Idle.Open, r.Quiet.Open, r.Gone.Open, err)
	}
}

// TestCrowdFindsFaults has the result of a run that went wrong in each way.
func TestCrowdFindsFaults(t *testing.T) {
	t.Parallel()
	r := soak.CrowdResult{Conns: 100}
	r.Idle = soak.Report{Open: 100, Heap: 10_000_000, Goroutines: 5, Descriptors: 105}
	r.Quiet = r.Idle
	r.Quiet.Heap = 10_900_000
	if err := r.Check(); err != nil {
		t.Errorf("a good run: %v", err)
	}
	r.Quiet = soak.Report{Open: 99, Heap: 11_200_000, Goroutines: 7, Descriptors: 106}
	r.Gone = soak.Report{Open: 1, Descriptors: 1}
	err := r.Check()
	for _, want := range []string{
		"99 connections are open, before they talked 100", "112000 bytes of heap per connection, before they talked 100000",
		"7 goroutines, before they talked 5", "106 descriptors", "1 connections are still open", "1 descriptors, before 0",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	got, err := soak.ParseEndpoints("127.0.0.1:1=loop,127.0.0.1:2=goroutine")
	want := []soak.Endpoint{{"127.0.0.1:1", websocket.EngineLoop}, {"127.0.0.1:2", websocket.EngineGoroutine}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	for _, s := range []string{"", "127.0.0.1:1", "127.0.0.1:1=fast"} {
		if got, err := soak.ParseEndpoints(s); err == nil {
			t.Errorf("%q: got %v, want an error", s, got)
		}
	}
	if got, err := soak.ParseEngines("mixed"); err != nil || !slices.Equal(got, mixed) {
		t.Errorf("got %v, %v, want %v", got, err, mixed)
	}
	if got, err := soak.ParseEngines("fast"); err == nil {
		t.Errorf("got %v, want an error", got)
	}
}
