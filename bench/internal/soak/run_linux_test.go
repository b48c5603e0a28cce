package soak_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wye-go/wye/bench/internal/child"
	"github.com/wye-go/wye/bench/internal/soak"
	"github.com/wye-go/wye/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// TestRun is a short soak. What it shows must add up; the long one is a make target.
func TestRun(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "soak")
	var more []string
	if testkit.Race {
		more = append(more, "-race")
	}
	if err := child.Build(t.Context(), "../..", "./soak", program, more...); err != nil {
		t.Fatal(err)
	}
	r, err := soak.Run(t.Context(), soak.Config{
		Program: program, Duration: 5 * time.Second, Rate: 50, Idle: 20, Progress: t.Output(),
	})
	t.Logf("\n%v", &r)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Lives) < 10 || r.After.Server.Accepted < 50 || len(r.After.Disconnects) < 5 {
		t.Errorf("%d kinds of peers, %d accepted, %d close codes: too little has happened",
			len(r.Lives), r.After.Server.Accepted, len(r.After.Disconnects))
	}
}

// TestFindsFaults has the result of a run that went wrong in each way.
func TestFindsFaults(t *testing.T) {
	t.Parallel()
	r := soak.Result{Before: soak.Report{Goroutines: 5, Descriptors: 5}}
	r.After = soak.Report{Goroutines: 9, Descriptors: 6, Heap: 1 << 30, AfterEnd: 1}
	r.After.Server.Open, r.After.Server.Accepted = 1, 2
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
