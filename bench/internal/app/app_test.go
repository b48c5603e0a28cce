//go:build linux

package app_test

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/wye-go/wye/bench/internal/app"
	"github.com/wye-go/wye/bench/internal/load"
	"github.com/wye-go/wye/bench/internal/selfsigned"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/protocol/websocket"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// TestLoad has the load generator check every answer of both engines.
func TestLoad(t *testing.T) {
	for _, engine := range []websocket.Engine{websocket.EngineLoop, websocket.EngineGoroutine} {
		addr := serve(t, engine, false)
		for name, cfg := range map[string]load.Config{
			"echo":      {Scenario: load.Echo, Conns: 20, Size: 64, Depth: 1},
			"pipelined": {Scenario: load.Echo, Conns: 20, Size: 64, Depth: 16},
			"large":     {Scenario: load.Echo, Conns: 5, Size: 16 << 10, Depth: 3},
			"Chinese":   {Scenario: load.Echo, Conns: 5, Size: 16 << 10, Data: load.Chinese, Depth: 3},
			"function":  {Scenario: load.Echo, Conns: 20, Size: 64, Depth: 4, Path: "/func/echo"},
			"member":    {Scenario: load.Echo, Conns: 20, Size: 64, Depth: 4, Path: "/func/bench"},
			"work":      {Scenario: load.Echo, Conns: 5, Size: 64, Depth: 4, Path: "/work"},
			"handshake": {Scenario: load.Handshake, Conns: 5},
			"room":      {Scenario: load.Room, Conns: 30, Size: 64, Depth: 16},
			"events":    {Scenario: load.Room, Conns: 30, Size: 64, Depth: 16, Path: "/events/bench"},
			"sleepers":  {Scenario: load.Paced, Conns: 50, Size: 64, Rate: 1000, SleepEvery: 50, Path: "/sleep"},
		} {
			t.Run(engine.String()+" "+name, func(t *testing.T) { run(t, "ws://"+addr, &cfg) })
		}
	}
}

func TestIdle(t *testing.T) {
	for path, secure := range map[string]bool{"/member/a": false, "/func/a": false, "/member/b": true} {
		addr := serve(t, websocket.EngineAuto, secure)
		cfg := load.Config{Scenario: load.Idle, Hello: true, Conns: 10, Path: path}
		url := "ws://" + addr
		if secure {
			url = "wss://" + addr
		}
		t.Run(path, func(t *testing.T) { run(t, url, &cfg) })
	}
}

// run does a short run.
func run(t *testing.T, url string, cfg *load.Config) {
	t.Helper()
	cfg.URL, cfg.Duration = url, 200*time.Millisecond
	r, err := load.Run(t.Context(), *cfg)
	if err != nil {
		t.Fatal(err)
	}
	if r.Messages == 0 && cfg.Scenario != load.Idle {
		t.Error("no messages")
	}
}

// serve runs Wye as its users run it, until the test ends.
func serve(t *testing.T, engine websocket.Engine, secure bool) (addr string) {
	t.Helper()
	ws := websocket.New(app.New(new(layers.Layer)), &websocket.Options{Engine: engine})
	s := httptest.NewUnstartedServer(ws)
	if secure {
		config, err := selfsigned.Config()
		if err != nil {
			t.Fatal(err)
		}
		s.TLS = config
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(func() {
		s.Close()
		if err := ws.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	_, addr, _ = strings.Cut(s.URL, "://")
	return addr
}
