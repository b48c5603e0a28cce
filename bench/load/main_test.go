//go:build linux

package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/wye-go/wye/bench/internal/floortest"
	"github.com/wye-go/wye/bench/internal/load"
)

func TestRun(t *testing.T) {
	url := "ws://" + floortest.Start(t, false)
	var out strings.Builder
	args := []string{"room", "-url", url, "-members", "5", "-window", "2", "-warmup", "0s", "-duration", "50ms"}
	if err := run(t.Context(), args, &out); err != nil {
		t.Fatal(err)
	}
	if line := out.String(); !strings.HasPrefix(line, "room: 5 conns") || strings.Count(line, "\n") != 1 {
		t.Errorf("got %q, want one line", line)
	}
	out.Reset()
	if err := run(t.Context(), append(args, "-json"), &out); err != nil {
		t.Fatal(err)
	}
	var r load.Result
	if err := json.Unmarshal([]byte(out.String()), &r); err != nil {
		t.Fatal(err)
	}
	if r.Scenario != load.Room || r.Conns != 5 || r.Depth != 2 || r.Messages == 0 || r.Server != nil {
		t.Errorf("got %+v", r)
	}
}

func TestBadArguments(t *testing.T) {
	for _, args := range []string{"", "nope", "echo x", "idle -depth 1", "room -conns 1"} {
		if _, _, err := parse(strings.Fields(args)); err == nil {
			t.Errorf("%q: no error", args)
		}
	}
}
