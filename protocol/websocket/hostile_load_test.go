//go:build unix

package websocket_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket"
	"github.com/wye-go/wye/protocol/websocket/websockettest"
)

// wantDescriptors fails if the process may not have n sockets, and what other
// tests need beside them.
func wantDescriptors(t *testing.T, n int) {
	t.Helper()
	const others = 2000
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if int(limit.Cur) < n+others {
		t.Fatalf("the process may have %d descriptors, and %d are needed: raise it with ulimit -n", int(limit.Cur), n+others)
	}
}

// knock asks to be let in, and returns the status line of the answer, the rest of
// whose head is read as well. It does not fail the test.
func (p *peer) knock() (status string, err error) {
	_ = p.Conn.SetDeadline(time.Now().Add(patience))
	defer p.Conn.SetDeadline(time.Time{}) //nolint:errcheck // a later read shows it
	if _, err := io.WriteString(p.Conn, websockettest.Request("/")); err != nil {
		return "", err
	}
	status, err = p.In.ReadString('\n')
	for line := status; err == nil && line != "\r\n"; {
		line, err = p.In.ReadString('\n')
	}
	return strings.TrimSpace(status), err
}

// TestCapacityTenThousand has ten thousand connections come from one address,
// two thousand of them at a time because each takes two descriptors here: as many
// as may are let in, and served, and all the others get their 429. Nobody is pinged
// or cut because the machine takes its time.
func TestCapacityTenThousand(t *testing.T) {
	t.Parallel()
	onPlainSockets(t, func(t *testing.T, via carrier) {
		const room = 100
		all, atATime := testkit.Count(10_000, 1000), testkit.Count(2000, 500)
		wantDescriptors(t, 2*atATime)
		s := serveOver(t, via, fakes.Echo(), &websocket.Options{
			Capacity:     websocket.Capacity{ConnsPerAddress: room},
			PingInterval: -1, HandshakeTimeout: time.Hour,
		})
		good := behave(s.open(t))
		var live []*peer
		begun := time.Now()
		answers := map[string]int{}
		for range all / atATime {
			wave := make(chan *peer, atATime)
			for range atATime {
				wave <- s.peer(t) // all before the first asks, so that they come at once
			}
			close(wave)
			let, got := s.storm(wave)
			good.served()
			live = append(live, let...)
			for a, n := range got {
				answers[a] += n
			}
		}
		t.Logf("%d connections in %v", all, time.Since(begun))
		want := map[string]int{"HTTP/1.1 101 Switching Protocols": room - 1, "HTTP/1.1 429 Too Many Requests": all - room + 1}
		if !maps.Equal(answers, want) {
			t.Errorf("answers %v, want %v", answers, want)
		}
		for _, p := range live {
			p.SendText("in")
			p.WantText("in")
		}
		good.closes()
		for _, p := range live {
			p.closes()
			p.Conn.Close()
		}
		s.wantEmpty(t)
		wantStats(t, s.Server, websocket.Stats{Stats: protocol.Stats{Accepted: room}, TurnedAway: websocket.TurnedAway{Crowded: int64(all - room + 1)}})
		if left := websocket.Left(s.Server); left != "" {
			t.Errorf("left behind: %s", left)
		}
		if n := strings.Count(s.log.String(), "ConnsPerAddress"); n < 1 || n > 1+int(time.Since(begun)/(10*time.Second)) {
			t.Errorf("%d lines in the log", n)
		}
	})
}

// storm has all peers of a wave ask, and returns those that were let in, and the
// answers. The others are gone when all have theirs.
func (s *server) storm(wave <-chan *peer) (let []*peer, answers map[string]int) {
	answers = map[string]int{}
	var mu sync.Mutex
	var all sync.WaitGroup
	var gone []net.Conn
	for range 64 {
		all.Go(func() {
			for p := range wave {
				status, err := p.knock()
				if err != nil {
					status += err.Error()
				}
				mu.Lock()
				answers[status]++
				if strings.Contains(status, "101") {
					let = append(let, p)
				} else {
					gone = append(gone, p.Conn)
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	for _, nc := range gone {
		nc.Close()
	}
	return let, answers
}

// farewells counts the Disconnects of each connection.
type farewells struct {
	mu   sync.Mutex
	each map[*protocol.Conn][]protocol.CloseCode
}

func (f *farewells) disconnect(_ context.Context, c *protocol.Conn, s protocol.CloseStatus) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.each[c] = append(f.each[c], s.Code)
}

// TestHostileShutdownOfAThousand says 1001 to all, spread over time, and waits for
// each Disconnect; those that do not answer are cut when the time is over.
func TestHostileShutdownOfAThousand(t *testing.T) {
	t.Parallel()
	peers, rogue := testkit.Count(1000, 300), testkit.Count(50, 15)
	rows := map[string]struct {
		hostile int
		grace   time.Duration
		err     string
	}{
		"good ones": {0, patience, ""},
		"with some rogue": {
			rogue, 8 * time.Second,
			fmt.Sprintf("wye: shutdown: %d connections had to be cut: context deadline exceeded", rogue),
		},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubbles(t, func(t *testing.T, via carrier) {
				byes := farewells{each: map[*protocol.Conn][]protocol.CloseCode{}}
				app := fakes.Echo()
				app.OnDisconnect = byes.disconnect
				s := serveOver(t, via, app, &websocket.Options{CloseTimeout: time.Hour, WriteTimeout: time.Hour})
				var all sync.WaitGroup
				times := make(chan time.Time, peers)
				for i := range peers {
					p := s.open(t)
					all.Go(func() { times <- p.saysGoodbye(i < row.hostile) })
				}
				ctx, cancel := context.WithTimeout(t.Context(), row.grace)
				defer cancel()
				begun := time.Now()
				err := s.Shutdown(ctx)
				if took := time.Since(begun); took > row.grace {
					t.Errorf("it took %v, and had %v", took, row.grace)
				}
				if row.err == "" && err != nil || row.err != "" && (err == nil || err.Error() != row.err || !errors.Is(err, context.DeadlineExceeded)) {
					t.Errorf("got %v, want %q", err, row.err)
				}
				all.Wait()
				wantSpread(t, times, begun)
				s.wantEmpty(t)
				byes.want(t, peers)
				if left := websocket.Left(s.Server); left != "" {
					t.Errorf("left behind: %s", left)
				}
			})
		})
	}
}

// saysGoodbye waits for our 1001, answers it and waits for the end, or only for
// the end if it is hostile. It returns when the close came.
func (p *peer) saysGoodbye(hostile bool) time.Time {
	p.Patience = 2 * patience
	code, _, _ := p.untilClose()
	at := time.Now()
	if code != 1001 {
		p.tb.Errorf("closed with %d, want 1001", code)
	}
	if !hostile {
		p.Conn.Write(closing(1001, "")) //nolint:errcheck // the end shows it
	}
	if f, err := p.Read(); err == nil {
		p.tb.Errorf("got %v, want the end", f)
	}
	if !hostile {
		p.Conn.Close()
	}
	return at
}

// wantSpread fails if closes did not come over about two milliseconds each.
func wantSpread(t *testing.T, times chan time.Time, begun time.Time) {
	t.Helper()
	close(times)
	var after []time.Duration
	for at := range times {
		after = append(after, at.Sub(begun))
	}
	slices.Sort(after)
	n := len(after)
	last := after[n-1]
	if last < time.Duration(n)*time.Millisecond || after[n/2] < last/5 || after[n/10] > last/2 {
		t.Errorf("a tenth was closed after %v, half after %v, and all after %v", after[n/10], after[n/2], last)
	}
}

// want fails unless each of n connections had one Disconnect, with 1001.
func (f *farewells) want(t *testing.T, n int) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.each) != n {
		t.Errorf("%d connections had a Disconnect, want %d", len(f.each), n)
	}
	for _, codes := range f.each {
		if !slices.Equal(codes, []protocol.CloseCode{1001}) {
			t.Errorf("Disconnects with %v, want one with 1001", codes)
		}
	}
}
