package load

import (
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/wye-go/wye/internal/testkit"
)

// TestCentrifuge has a server speak centrifuge's protocol, well and badly, to the only member of
// a room.
func TestCentrifuge(t *testing.T) {
	t.Parallel()
	const push = `{"push":{"channel":"bench","pub":{"data":"`
	publication := func(msg string) string {
		return push + strings.TrimSuffix(strings.TrimPrefix(msg, `{"send":{"data":"`), `"}}`) + `"}}}`
	}
	for _, row := range []struct {
		at     testkit.Line
		answer func(n int, msg string) []ws.Frame
		want   string // of the error; empty: none
	}{
		{testkit.Here(), func(_ int, msg string) []ws.Frame { return []ws.Frame{text(publication(msg))} }, ""},
		{testkit.Here(), func(_ int, msg string) []ws.Frame { return []ws.Frame{text(publication(msg) + "\n")} }, ""},
		{testkit.Here(), func(_ int, msg string) []ws.Frame { return []ws.Frame{text(msg)} }, "unexpected message"},
		{testkit.Here(), func(n int, msg string) []ws.Frame {
			return []ws.Frame{text(publication(strings.Replace(msg, "d", "e", 1+n)))}
		}, "bytes came back"},
	} {
		url := serve(t, func(n int, msg string) []ws.Frame {
			if n == 0 {
				return []ws.Frame{text(`{"id":1,"connect":{"client":"x"}}`)}
			}
			return row.answer(n, msg)
		})
		cfg := Config{Scenario: Room, Dialect: Centrifuge, URL: url, Conns: 1, Size: 64, Depth: 1, Duration: 50 * time.Millisecond}
		r, err := Run(t.Context(), cfg)
		if row.want == "" && (err != nil || r.Messages == 0) || row.want != "" && (err == nil || !strings.Contains(err.Error(), row.want)) {
			t.Errorf("%s: got %v (%v), want an error with %q", row.at, r, err, row.want)
		}
	}
}

func TestCheckOthers(t *testing.T) {
	t.Parallel()
	good := Config{Scenario: Room, URL: "ws://127.0.0.1:1", Others: []string{"ws://127.0.0.1:2"}, Conns: 2, Size: 64, Depth: 1, Duration: time.Second}
	if target, err := good.check(); err != nil || target.addrOf(1) != "127.0.0.1:1" || target.addrOf(0) != "127.0.0.1:2" {
		t.Errorf("got %+v, %v", target, err)
	}
	for _, row := range []struct {
		at     testkit.Line
		change func(*Config)
	}{
		{testkit.Here(), func(c *Config) { c.Scenario = Echo }},
		{testkit.Here(), func(c *Config) { c.Conns = 1 }},
		{testkit.Here(), func(c *Config) { c.Others = []string{"http://127.0.0.1:2"} }},
		{testkit.Here(), func(c *Config) { c.Others = []string{"ws://127.0.0.1"} }},
		{testkit.Here(), func(c *Config) { c.Others = []string{"%"} }},
		{testkit.Here(), func(c *Config) { c.Dialect = "klingon" }},
		{testkit.Here(), func(c *Config) { c.Scenario, c.Others, c.Dialect = Echo, nil, Centrifuge }},
	} {
		c := good
		row.change(&c)
		if _, err := c.check(); err == nil {
			t.Errorf("%s: no error", row.at)
		}
	}
}
