package websocket_test

import (
	"context"
	"net/http"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket"
	"github.com/wye-go/wye/protocol/websocket/websockettest"
)

// slotWay is a way in which connections end, or never begin.
type slotWay struct {
	app    func(h *fakes.Handler) // what the application does to all but the good peer
	opts   websocket.Options
	wrap   func(http.Handler) http.Handler
	status int                         // of the answer; 0: none
	end    func(s *siege, p *peer)     // of an open connection, or of one that gets no answer
	stats  func(n int) websocket.Stats // after n of them
}

func refusedBy(st func(n int64) protocol.Stats) func(n int) websocket.Stats {
	return func(n int) websocket.Stats { return websocket.Stats{Stats: st(int64(n))} }
}

func onlyRefused(n int64) protocol.Stats { return protocol.Stats{Refused: n} }
func panicked(n int64) protocol.Stats    { return protocol.Stats{Refused: n, Panics: n} }
func nothing(int64) protocol.Stats       { return protocol.Stats{} }

// connecting has Connect return f's error.
func connecting(f func(ctx context.Context, c *protocol.Conn) error) func(h *fakes.Handler) {
	return func(h *fakes.Handler) { h.OnConnect = f }
}

// opening has Open do f.
func opening(f func()) func(h *fakes.Handler) {
	return func(h *fakes.Handler) { h.OnOpen = func(*protocol.Scope) error { f(); return nil } }
}

// hidden is a ResponseWriter that hides what it wraps.
type hidden struct{ http.ResponseWriter }

func hiding(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Hide") != "" {
			w = hidden{w}
		}
		h.ServeHTTP(w, r)
	})
}

func neverOpen() map[string]slotWay {
	untilCtx := connecting(func(ctx context.Context, _ *protocol.Conn) error { <-ctx.Done(); return context.Cause(ctx) })
	return map[string]slotWay{
		"refused by Connect": {
			app: connecting(func(context.Context, *protocol.Conn) error {
				return protocol.NewRejectError(http.StatusForbidden, "no")
			}),
			status: 403, stats: refusedBy(onlyRefused),
		},
		"refused by Open": {
			app:    func(h *fakes.Handler) { h.OnOpen = func(*protocol.Scope) error { return protocol.ErrNoRoute } },
			status: 404, stats: refusedBy(onlyRefused),
		},
		"closed in Connect": {
			app:    connecting(func(_ context.Context, c *protocol.Conn) error { c.Close(4000, "no"); return nil }),
			status: 403, stats: refusedBy(onlyRefused),
		},
		"bad Accept": {
			app: connecting(func(_ context.Context, c *protocol.Conn) error {
				return c.Accept(&protocol.AcceptOptions{Subprotocol: "not offered"})
			}),
			status: 500, stats: refusedBy(onlyRefused),
		},
		"panic in Connect": {
			app:    connecting(func(context.Context, *protocol.Conn) error { panic("boom") }),
			status: 500, stats: refusedBy(panicked),
		},
		"panic in Open":     {app: opening(func() { panic("boom") }), status: 500, stats: refusedBy(panicked)},
		"Goexit in Open":    {app: opening(runtime.Goexit), status: 500, stats: refusedBy(onlyRefused)},
		"Goexit in Connect": {app: connecting(func(context.Context, *protocol.Conn) error { runtime.Goexit(); return nil }), status: 500, stats: refusedBy(onlyRefused)},
		"hijack fails":      {wrap: hiding, status: 500, stats: refusedBy(onlyRefused)},
		"KeepContext panics": {
			opts: websocket.Options{KeepContext: func(r *http.Request) context.Context {
				if r.Header.Get("X-Hide") != "" {
					panic("boom")
				}
				return r.Context()
			}},
			end: func(_ *siege, p *peer) { p.WantEnd() }, stats: refusedBy(nothing),
		},
		"HandshakeTimeout": {
			app: untilCtx, status: 503, opts: websocket.Options{HandshakeTimeout: time.Second},
			stats: func(n int) websocket.Stats { return websocket.Stats{Stats: onlyRefused(int64(n)), Late: int64(n)} },
		},
		"peer gone meanwhile": {app: untilCtx, end: func(_ *siege, p *peer) { synctest.Wait(); p.Conn.Close() }, stats: refusedBy(onlyRefused)},
	}
}

func opens(f func(s *siege, p *peer), st func(n int64) websocket.Stats) slotWay {
	return slotWay{status: 101, end: f, stats: func(n int) websocket.Stats {
		all := st(int64(n))
		all.Accepted = int64(n) + 1
		return all
	}}
}

func onceOpen() map[string]slotWay {
	none := func(int64) websocket.Stats { return websocket.Stats{} }
	cut := opens(func(s *siege, p *peer) {
		(<-s.opened).Close(4000, "go")
		p.waitsFor(closeTimeout)
	}, func(n int64) websocket.Stats { return websocket.Stats{CloseTimeouts: n} })
	panics := opens(func(_ *siege, p *peer) { p.SendText("panic"); p.WantClose(1011); p.closesBack(1011) },
		func(n int64) websocket.Stats { return websocket.Stats{Stats: protocol.Stats{Panics: n, Failures: n}} })
	panics.app = func(h *fakes.Handler) {
		h.OnReceive = func(ctx context.Context, c *protocol.Conn, m protocol.Message) error {
			if m.Text() == "panic" {
				panic("boom")
			}
			return c.Send(ctx, m)
		}
	}
	broken := opens(func(_ *siege, p *peer) { p.SendBytes(closing(1000, "")); p.WantClose(1000); p.WantEnd() },
		func(n int64) websocket.Stats { return websocket.Stats{Stats: protocol.Stats{Panics: n, Failures: n}} })
	broken.app = func(h *fakes.Handler) {
		bye := h.OnDisconnect
		h.OnDisconnect = func(ctx context.Context, c *protocol.Conn, st protocol.CloseStatus) {
			bye(ctx, c, st)
			panic("boom")
		}
	}
	return map[string]slotWay{
		"it closes":           opens(func(_ *siege, p *peer) { p.closes() }, none),
		"it goes":             opens(func(_ *siege, p *peer) { p.Conn.Close() }, none),
		"it breaks the rules": opens(func(_ *siege, p *peer) { p.SendBytes(frame(finCont, "")); p.WantClose(1002); p.Conn.Close() }, func(n int64) websocket.Stats { return websocket.Stats{Violations: n} }),
		"it reads nothing":    opens(func(_ *siege, p *peer) { p.SendText("x"); p.waitsFor(writeTimeout) }, func(n int64) websocket.Stats { return websocket.Stats{WriteTimeouts: n} }),
		"it is cut":           cut,
		"panic in Receive":    panics,
		"panic in Disconnect": broken,
	}
}

// TestCapacityIsGivenBack has connections end in each way while there is room for
// one beside the good peer's, again and again.
func TestCapacityIsGivenBack(t *testing.T) {
	t.Parallel()
	for _, ways := range []map[string]slotWay{neverOpen(), onceOpen()} {
		for name, way := range ways {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				inBubbles(t, func(t *testing.T, via carrier) { way.again(t, via, 4) })
			})
		}
	}
}

func (way *slotWay) again(t *testing.T, via carrier, times int) {
	t.Helper()
	app, bad := fakes.Echo(), atomic.Bool{}
	way.opts.Capacity = websocket.Capacity{Conns: 2, ConnsPerAddress: 1, Handshakes: 1}
	front := protocol.ApplicationFunc(func(sc *protocol.Scope) (protocol.Handler, error) {
		if way.app == nil || !bad.Load() {
			return app, nil
		}
		h := *app
		way.app(&h)
		return h.Open(sc)
	})
	wrap := rewriting
	if way.wrap != nil {
		wrap = func(h http.Handler) http.Handler { return rewriting(way.wrap(h)) }
	}
	s := besiegeBehind(t, via, app, front, &way.opts, wrap)
	bad.Store(true)
	for range times {
		p := s.peer(t)
		p.SendBytes([]byte(websockettest.Request("/", "X-From: 203.0.113.1:1", "X-Hide: yes")))
		if way.status != 0 {
			if a := p.ReadAnswer(); a.Status != way.status {
				t.Fatalf("status %d, want %d", a.Status, way.status)
			}
		}
		if way.end != nil {
			way.end(s, p)
		}
		p.Conn.Close()
		synctest.Wait()
		if left := websocket.Left(s.Server); left != "1 connections" {
			t.Fatalf("%s are left, want that of the good peer", left)
		}
		s.good.served()
	}
	want := way.stats(times)
	if want.Accepted == 0 {
		want.Accepted = 1
	}
	s.over(want)
}

// TestCapacityIsGivenBackByShutdown does it too, also if connections were cut.
func TestCapacityIsGivenBackByShutdown(t *testing.T) {
	t.Parallel()
	inBubbles(t, func(t *testing.T, via carrier) {
		s := besiegeFrom(t, via, fakes.Echo(), websocket.Capacity{})
		s.attacker("X-From: 203.0.113.1:1")
		p, c := s.attacker("X-From: 203.0.113.2:1")
		s.send(c, "is never read")
		p.SendBytes([]byte{finText})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := s.Shutdown(ctx); err == nil {
			t.Error("Shutdown says that nothing was cut")
		}
		synctest.Wait()
		if left := websocket.Left(s.Server); left != "" {
			t.Errorf("left behind: %s", left)
		}
	})
}
