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

// TestLine is about what tells one scenario's line from another's.
func TestLine(t *testing.T) {
	url := "ws://" + floortest.Start(t, false)
	for _, row := range []struct{ args, want string }{
		{"echo -conns 2 -size 30 -data chinese", "echo: 2 conns x 30 B chinese, depth 1: "},
		{"handshake -conns 3", "handshake: 3 conns at a time: "},
		{"idle -conns 2", "idle: 2 conns for "},
		{"idle -conns 2 -hello -path /member/a", "idle: 2 conns for "},
		{"paced -conns 2 -rate 1000 -path /echo", "paced: 2 conns x 64 B, 1000/s, every 0 sleeps: "},
	} {
		var out strings.Builder
		args := append(strings.Fields(row.args), "-url", url, "-warmup", "0s", "-duration", "50ms")
		if err := run(t.Context(), args, &out); err != nil {
			t.Errorf("%s: %v", row.args, err)
		} else if !strings.HasPrefix(out.String(), row.want) {
			t.Errorf("%s: got %q, want %q", row.args, out.String(), row.want)
		}
	}
}

func TestBadArguments(t *testing.T) {
	for _, args := range []string{"", "nope", "echo x", "idle -depth 1", "room -conns 1", "handshake -size 64"} {
		if _, _, err := parse(strings.Fields(args)); err == nil {
			t.Errorf("%q: no error", args)
		}
	}
}
