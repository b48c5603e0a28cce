//go:build linux

package app_test

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/wye-go/wye/bench/internal/app"
	"github.com/wye-go/wye/bench/internal/epoll"
	"github.com/wye-go/wye/bench/internal/load"
	"github.com/wye-go/wye/bench/internal/spike"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol/websocket"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// TestLoad has the load generator check every answer of both engines.
func TestLoad(t *testing.T) {
	for engine, start := range map[string]func(*testing.T) string{"server": server, "spike": loop} {
		addr := start(t)
		for name, cfg := range map[string]load.Config{
			"echo":      {Scenario: load.Echo, Conns: 20, Size: 64, Depth: 1},
			"pipelined": {Scenario: load.Echo, Conns: 20, Size: 64, Depth: 16},
			"large":     {Scenario: load.Echo, Conns: 5, Size: 16 << 10, Depth: 3},
			"Chinese":   {Scenario: load.Echo, Conns: 5, Size: 16 << 10, Data: load.Chinese, Depth: 3},
			"handshake": {Scenario: load.Handshake, Conns: 5},
			"room":      {Scenario: load.Room, Conns: 30, Size: 64, Depth: 16},
		} {
			t.Run(engine+" "+name, func(t *testing.T) {
				cfg.URL, cfg.Duration = "ws://"+addr, 200*time.Millisecond
				r, err := load.Run(t.Context(), cfg)
				if err != nil {
					t.Fatal(err)
				}
				if r.Messages == 0 {
					t.Error("no messages")
				}
			})
		}
	}
}

// server is Wye as its users run it.
func server(t *testing.T) (addr string) {
	t.Helper()
	ws := websocket.New(app.New(), nil)
	s := httptest.NewServer(ws)
	t.Cleanup(func() {
		s.Close()
		if err := ws.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return strings.TrimPrefix(s.URL, "http://")
}

// loop is Wye under the inline loop.
func loop(t *testing.T) (addr string) {
	t.Helper()
	ln, bound, err := epoll.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- spike.New(app.New()).Serve(ctx, ln) }()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Errorf("spike: %v", err)
		}
	})
	return bound
}
