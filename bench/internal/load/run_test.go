//go:build linux

package load

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/wye-go/wye/bench/internal/floortest"
)

// short is long enough for thousands of messages.
const short = 100 * time.Millisecond

// perform does one run and returns it, for a look inside.
func perform(t *testing.T, cfg Config) (*run, error) {
	t.Helper()
	target, err := cfg.check()
	if err != nil {
		t.Fatal(err)
	}
	cl, err := newClient(target, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cl.close(); err != nil {
			t.Error(err)
		}
	})
	r := &run{cfg: cfg, cl: cl}
	err = r.do(t.Context())
	return r, err
}

func TestEcho(t *testing.T) {
	ws, tcp := "ws://"+floortest.Start(t, false), "tcp://"+floortest.Start(t, true)
	for name, cfg := range map[string]Config{
		"one":       {URL: ws, Conns: 1, Size: StampLen, Depth: 1},
		"many":      {URL: ws, Conns: 50, Size: 64, Depth: 1},
		"pipelined": {URL: ws, Conns: 20, Size: 64, Depth: 16},
		"large":     {URL: ws, Conns: 5, Size: 16 << 10, Depth: 3},
		"Chinese":   {URL: ws, Conns: 5, Size: 16 << 10, Data: Chinese, Depth: 3},
		"largest":   {URL: ws, Conns: 2, Size: 1 << 17, Depth: 9},
		"raw":       {URL: tcp, Conns: 20, Size: 64, Depth: 16},
		"raw large": {URL: tcp, Conns: 2, Size: 1 << 17, Depth: 9},
	} {
		t.Run(name, func(t *testing.T) {
			cfg.Scenario, cfg.Duration = Echo, short
			r, err := perform(t, cfg)
			if err != nil {
				t.Fatal(err)
			}
			if r.result.Messages == 0 || r.result.P50us <= 0 || r.result.P99us < r.result.P50us {
				t.Errorf("implausible: %v", r.result)
			}
			for _, c := range r.cl.conns {
				if c.seen != c.sent || c.seen < uint32(cfg.Depth) {
					t.Errorf("connection %d: sent %d, received %d", c.id, c.sent, c.seen)
				}
			}
		})
	}
}

// TestRoom counts deliveries: every message to every member, the publisher too.
func TestRoom(t *testing.T) {
	addr := floortest.Start(t, false)
	for name, cfg := range map[string]Config{
		"alone":   {Conns: 1, Depth: 1},
		"one":     {Conns: 30, Depth: 1},
		"sixteen": {Conns: 30, Depth: 16},
	} {
		t.Run(name, func(t *testing.T) {
			cfg.Scenario, cfg.URL, cfg.Size, cfg.Duration = Room, "ws://"+addr, 64, short
			r, err := perform(t, cfg)
			if err != nil {
				t.Fatal(err)
			}
			published := r.cl.conns[cfg.Conns-1].sent
			if published < uint32(cfg.Depth) || r.result.Messages == 0 {
				t.Errorf("%d messages published: %v", published, r.result)
			}
			for _, c := range r.cl.conns {
				if c.seen != published {
					t.Errorf("member %d: received %d of %d", c.id, c.seen, published)
				}
			}
		})
	}
}

func TestIdle(t *testing.T) {
	cfg := Config{
		Scenario: Idle, URL: "ws://" + floortest.Start(t, false),
		Conns: 100, Duration: short, PID: os.Getpid(),
	}
	r, err := perform(t, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if s := r.result.Server; s == nil || s.HandshakeNs <= 0 {
		t.Errorf("server %+v, want its cost per handshake", s)
	}
	if r.result.Seconds < short.Seconds() {
		t.Errorf("held for %v s, want %v", r.result.Seconds, short)
	}
}

func TestRunGivesUp(t *testing.T) {
	addr := floortest.Start(t, false)
	good := Config{Scenario: Echo, URL: "ws://" + addr, Conns: 3, Size: 64, Depth: 1, Duration: time.Hour}
	for name, test := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"path":      {func(c *Config) { c.URL += "/nope" }, "404"},
		"scheme":    {func(c *Config) { c.URL = "http://" + addr }, "scheme"},
		"port":      {func(c *Config) { c.URL = "ws://127.0.0.1" }, "port"},
		"scenario":  {func(c *Config) { c.Scenario = "x" }, "scenario"},
		"size":      {func(c *Config) { c.Size = StampLen - 1 }, "size"},
		"depth":     {func(c *Config) { c.Depth = 0 }, "depth"},
		"conns":     {func(c *Config) { c.Conns = 0 }, "connections"},
		"data":      {func(c *Config) { c.Data = "x" }, "data"},
		"raw room":  {func(c *Config) { c.Scenario, c.URL = Room, "tcp://"+addr }, "WebSocket"},
		"raw lives": {func(c *Config) { c.Scenario, c.URL = Handshake, "tcp://"+addr }, "WebSocket"},
		"life":      {func(c *Config) { c.Scenario, c.URL = Handshake, "ws://"+addr+"/nope" }, "404"},
		"idle tls":  {func(c *Config) { c.Scenario, c.URL = Idle, "wss://"+addr }, "hello"},
		"raw paced": {func(c *Config) { c.Scenario, c.URL = Paced, "tcp://"+addr }, "WebSocket"},
		"rate":      {func(c *Config) { c.Scenario = Paced }, "rate 0"},
		"mark":      {func(c *Config) { c.Scenario, c.Rate, c.Size, c.SleepEvery = Paced, 1, 12, 1 }, "no room for a mark"},
		"probe":     {func(c *Config) { c.Probe = "x" }, "process"},
		"no server": {func(c *Config) { c.PID = 1 << 30 }, "no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := good
			test.change(&cfg)
			if _, err := Run(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want an error with %q", err, test.want)
			}
		})
	}
	t.Run("context", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), short)
		defer cancel()
		if _, err := Run(ctx, good); err == nil {
			t.Error("no error though the context has ended")
		}
	})
}
