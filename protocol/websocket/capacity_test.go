package websocket_test

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket"
	"github.com/wye-go/wye/protocol/websocket/websockettest"
)

// rewriting is a middleware that takes a peer's address from its request, as
// those behind proxies do.
func rewriting(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if from, has := r.Header["X-From"]; has {
			r.RemoteAddr = from[0]
		}
		h.ServeHTTP(w, r)
	})
}

// besiegeFrom is besiege for peers that say which address they have.
func besiegeFrom(t *testing.T, via carrier, app *fakes.Handler, c websocket.Capacity) *siege {
	t.Helper()
	return besiegeBehind(t, via, app, app, &websocket.Options{Capacity: c}, rewriting)
}

// turnedAway has n peers knock and be refused with status, and the hint to come
// again after so many seconds, or up to twice as many. Their connections are closed.
func (s *siege) turnedAway(n, status, retry int, lines ...string) {
	s.t.Helper()
	for range n {
		begun, p := time.Now(), s.peer(s.t)
		a := p.Handshake(websockettest.Request("/", lines...))
		if a.Status != status || !isRetry(a.Header.Get("Retry-After"), retry) || a.Body == "" {
			s.t.Fatalf("status %d %q with Retry-After %q, want %d and %d or more", a.Status, a.Body, a.Header.Get("Retry-After"), status, retry)
		}
		if d := time.Since(begun); d != 0 {
			s.t.Errorf("refused after %v", d)
		}
		p.WantEnd()
		p.Conn.Close()
	}
}

// isRetry reports whether got is a number of seconds between least and twice that.
func isRetry(got string, least int) bool {
	n, err := strconv.Atoi(got)
	return err == nil && n >= least && n <= 2*least
}

// logged fails unless the log has n lines about a bound of Capacity.
func (s *siege) logged(bound string, n int) {
	s.t.Helper()
	if got := strings.Count(s.log.String(), "bound="+bound+" "); got != n {
		s.t.Errorf("%d lines about %s, want %d:\n%s", got, bound, n, s.log.String())
	}
}

// TestCapacityConns refuses one connection too many with 503, logs that once in a
// while, and lets in again when one has gone.
func TestCapacityConns(t *testing.T) {
	t.Parallel()
	inBubbles(t, func(t *testing.T, via carrier) {
		s := besiege(t, via, fakes.Echo(), &websocket.Options{Capacity: websocket.Capacity{Conns: 3}})
		p, _ := s.attacker()
		q, _ := s.attacker()
		s.logged("Conns", 0)
		s.turnedAway(50, 503, 5)
		s.good.served()
		s.logged("Conns", 1)
		s.wantLog(t, "value=3", "Stats counts them")
		<-time.After(9 * time.Second)
		s.turnedAway(50, 503, 5)
		s.logged("Conns", 1)
		<-time.After(time.Second)
		s.turnedAway(50, 503, 5)
		s.logged("Conns", 2)
		for range 5 {
			p.closes()
			s.ended(1000, true, nil)
			synctest.Wait()
			p, _ = s.attacker()
			s.turnedAway(1, 503, 5)
		}
		p.closes()
		q.closes()
		s.over(websocket.Stats{TurnedAway: websocket.TurnedAway{Full: 155}})
	})
}

// TestCapacityConnsPerAddress refuses an address one connection too many with 429, and
// nobody else. Package admission tests which addresses are the same.
func TestCapacityConnsPerAddress(t *testing.T) {
	t.Parallel()
	rows := []struct {
		at             testkit.Line
		first, another string
		same           bool
	}{
		{testkit.Here(), "203.0.113.1:1", "203.0.113.1:2", true},
		{testkit.Here(), "203.0.113.1:1", "203.0.113.2:1", false},
		{testkit.Here(), "[2001:db8::1]:1", "[2001:db8::2]:2", true},
		{testkit.Here(), "127.0.0.1:1", "127.0.0.1:2", true}, // the limit is explicit
		{testkit.Here(), "@", "@", false},                    // a Unix socket
	}
	for _, row := range rows {
		inBubbles(t, func(t *testing.T, via carrier) {
			s := besiegeFrom(t, via, fakes.Echo(), websocket.Capacity{ConnsPerAddress: 1})
			p, _ := s.attacker("X-From: " + row.first)
			if !row.same {
				q, _ := s.attacker("X-From: " + row.another)
				p.closes()
				q.closes()
				s.over(websocket.Stats{})
				return
			}
			s.turnedAway(3, 429, 5, "X-From: "+row.another)
			s.logged("ConnsPerAddress", 1)
			p.closes()
			s.ended(1000, true, nil)
			synctest.Wait()
			p, _ = s.attacker("X-From: " + row.another)
			p.closes()
			s.over(websocket.Stats{TurnedAway: websocket.TurnedAway{Crowded: 3}})
		})
		if t.Failed() {
			t.Fatalf("%s: %q and %q", row.at, row.first, row.another)
		}
	}
}

// TestCapacityCountsAddresses: by default private addresses are not counted; with a limit
// of one's own they are.
func TestCapacityCountsAddresses(t *testing.T) {
	t.Parallel()
	rows := []struct {
		at      testkit.Line
		from    string
		counted bool // by default
		all     bool // otherwise
	}{
		{testkit.Here(), "203.0.113.1:1", true, true},
		{testkit.Here(), "[2001:db8::1]:1", true, true},
		{testkit.Here(), "127.0.0.1:1", false, true},
		{testkit.Here(), "10.1.2.3:1", false, true},
		{testkit.Here(), "@", false, false},
	}
	for _, row := range rows {
		for limit, want := range map[int]bool{0: row.counted, -1: row.counted, 5: row.all} {
			inBubbles(t, func(t *testing.T, via carrier) {
				s := besiegeFrom(t, via, fakes.Echo(), websocket.Capacity{ConnsPerAddress: limit})
				p, _ := s.attacker("X-From: " + row.from)
				q, _ := s.attacker("X-From: " + row.from)
				if n := websocket.Addresses(s.Server); (n == 1) != want || n > 1 {
					t.Errorf("%s: %d addresses for %q and a limit of %d, counted should be %v", row.at, n, row.from, limit, want)
				}
				p.closes()
				q.closes()
				s.over(websocket.Stats{})
			})
		}
	}
}

// TestCapacityForgetsAddresses when their last connection has gone, also those
// that were refused.
func TestCapacityForgetsAddresses(t *testing.T) {
	t.Parallel()
	inBubbles(t, func(t *testing.T, via carrier) {
		s := besiegeFrom(t, via, fakes.Echo(), websocket.Capacity{ConnsPerAddress: 2, Conns: 6})
		for round := range 20 {
			var peers []*peer
			for i := range 5 {
				p, _ := s.attacker(fmt.Sprintf("X-From: 203.0.113.%d:1", 10*round+i/2))
				peers = append(peers, p)
			}
			if n := websocket.Addresses(s.Server); n != 3 {
				t.Errorf("%d addresses, want 3", n)
			}
			s.turnedAway(1, 503, 5, fmt.Sprintf("X-From: 198.51.100.%d:1", round))
			for _, p := range peers {
				p.Conn.Close()
				s.ended(1006, false, nil)
			}
			synctest.Wait()
			if n := websocket.Addresses(s.Server); n != 0 {
				t.Errorf("%d addresses although all have gone", n)
			}
		}
		s.over(websocket.Stats{TurnedAway: websocket.TurnedAway{Full: 20}})
	})
}

// TestCapacityHandshakes refuses newcomers with 503 while as many as may wait for
// Connect, and serves those that are in.
func TestCapacityHandshakes(t *testing.T) {
	t.Parallel()
	inBubbles(t, func(t *testing.T, via carrier) {
		busy, release := false, make(chan struct{})
		app := fakes.Echo()
		app.OnConnect = func(ctx context.Context, _ *protocol.Conn) error {
			if busy {
				<-release
			}
			return nil
		}
		s := besiege(t, via, app, &websocket.Options{Capacity: websocket.Capacity{Handshakes: 2}})
		busy = true
		var waiting [2]*peer
		for i := range waiting {
			waiting[i] = s.peer(t)
			waiting[i].SendBytes([]byte(websockettest.Request("/")))
		}
		synctest.Wait()
		for range 3 {
			s.turnedAway(10, 503, 1)
			s.good.served()
			s.logged("Handshakes", 1)
			<-time.After(2 * time.Second)
		}
		busy = false
		close(release)
		for _, p := range waiting {
			if a := p.ReadAnswer(); a.Status != 101 {
				t.Errorf("status %d, want 101", a.Status)
			}
			s.accepted++
			<-s.opened
		}
		p, _ := s.attacker()
		for _, p := range append(waiting[:], p) {
			p.closes()
		}
		s.over(websocket.Stats{TurnedAway: websocket.TurnedAway{Full: 30}})
	})
}

// TestCapacityOrder looks at the whole before the address: who is refused for
// want of room is not told that it is his fault.
func TestCapacityOrder(t *testing.T) {
	t.Parallel()
	inBubbles(t, func(t *testing.T, via carrier) {
		s := besiegeFrom(t, via, fakes.Echo(), websocket.Capacity{Conns: 2, ConnsPerAddress: 1})
		p, _ := s.attacker("X-From: 203.0.113.1:1")
		s.turnedAway(1, 503, 5, "X-From: 203.0.113.1:1")
		p.closes()
		s.over(websocket.Stats{TurnedAway: websocket.TurnedAway{Full: 1}})
	})
}

// TestCapacityHandshakesPerSecond refuses handshakes that come too fast with 503 and
// a Retry-After that grows with how many those are, and logs that once in a while.
func TestCapacityHandshakesPerSecond(t *testing.T) {
	t.Parallel()
	inBubbles(t, func(t *testing.T, via carrier) {
		s := besiege(t, via, fakes.Echo(), &websocket.Options{Capacity: websocket.Capacity{HandshakesPerSecond: 2, HandshakeBurst: 3}})
		p, _ := s.attacker() // the good peer is in, too
		q, _ := s.attacker()
		s.turnedAway(2, 503, 1)
		for i := range 10 {
			s.turnedAway(1, 503, (i+3+1)/2)
		}
		s.good.served()
		s.logged("HandshakesPerSecond", 1)
		<-time.After(500 * time.Millisecond)
		r, _ := s.attacker()
		s.turnedAway(1, 503, 6)
		for _, p := range []*peer{p, q, r} {
			p.closes()
		}
		s.over(websocket.Stats{TurnedAway: websocket.TurnedAway{RateLimited: 13}})
	})
}
