package websocket_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket"
	"github.com/wye-go/wye/protocol/websocket/websockettest"
)

// TestHostileQueueMemory has a peer that never reads ask for small answers of
// different kinds in turn: what they take is about what they count.
func TestHostileQueueMemory(t *testing.T) {
	t.Parallel()
	const bound = 100 * kib
	withstand(t, &attack{
		opts: websocket.Options{Limits: protocol.Limits{QueueBytes: bound}},
		do: func(s *siege, p *peer, c *protocol.Conn) {
			s.send(c, "keeps a writer waiting, so that we read on")
			for range 20 {
				p.SendBytes(bytes.Repeat(append(frame(finText, ""), frame(finPing, "")...), 500))
			}
			synctest.Wait()
			s.bounded(2 * bound)
			p.waitsFor(writeTimeout)
		},
		code: 1006, stats: websocket.Stats{WriteTimeouts: 1},
	})
}

// TestHostileLateIsAboutTime does not count a refusal as HandshakeTimeout's that
// came after it, but had another reason and status.
func TestHostileLateIsAboutTime(t *testing.T) {
	t.Parallel()
	inBubbles(t, func(t *testing.T, via carrier) {
		app := fakes.Echo()
		s := besiegeBehind(t, via, app, decider{app}, nil, func(h http.Handler) http.Handler { return h })
		if a := s.peer(t).Handshake(websockettest.Request("/", "X-No: patient")); a.Status != http.StatusUnauthorized {
			t.Errorf("status %d, want 401", a.Status)
		}
		s.over(websocket.Stats{Stats: protocol.Stats{Refused: 1}})
	})
}

// TestHostileShutdownIsNoTimeout counts connections that Shutdown cuts as nobody's
// timeout: neither WriteTimeout nor CloseTimeout was over.
func TestHostileShutdownIsNoTimeout(t *testing.T) {
	t.Parallel()
	for name, grace := range map[string]time.Duration{"with time to close": 3 * time.Second, "with none": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubbles(t, func(t *testing.T, via carrier) {
				s := besiege(t, via, fakes.Echo(), &websocket.Options{CloseTimeout: time.Hour, WriteTimeout: time.Hour})
				for range 20 {
					s.attacker()
				}
				ctx, cancel := context.WithTimeout(t.Context(), grace)
				defer cancel()
				if err := s.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
					t.Error(err)
				}
				synctest.Wait()
				s.counted(websocket.Stats{})
			})
		})
	}
}

// TestHostileNetworkTimeout has the kernel give up a peer (TCP keep-alive does
// so): that is neither our WriteTimeout nor a close that was not answered.
func TestHostileNetworkTimeout(t *testing.T) {
	t.Parallel()
	inBubbles(t, func(t *testing.T, via carrier) {
		app := fakes.Echo()
		ends := app.Ends()
		s := newServer(app, nil)
		gaveUp := make(chan struct{})
		l := &websockettest.Listener{}
		srv := &http.Server{Handler: s.Server}
		go srv.Serve(unreachables{l, gaveUp}) //nolint:errcheck // closed below
		p := newPeer(t, l.Dial())
		p.Upgrade(websockettest.Request("/"))
		synctest.Wait()
		close(gaveUp)
		p.Conn.Close()
		got := <-ends
		if got.Code != 1006 || !errors.Is(got.Err, syscall.ETIMEDOUT) || strings.Contains(got.Err.Error(), "close frame") {
			t.Errorf("ended with %+v", got)
		}
		s.wantEmpty(t)
		wantStats(t, s.Server, websocket.Stats{Stats: protocol.Stats{Accepted: 1}})
		srv.Close()
	})
}

// unreachables is a listener whose connections are unreachable.
type unreachables struct {
	*websockettest.Listener

	gaveUp <-chan struct{}
}

func (l unreachables) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	return &unreachable{nc, l.gaveUp}, err
}

// unreachable is a connection whose network is gone when the kernel has given up.
type unreachable struct {
	net.Conn
	gaveUp <-chan struct{}
}

func (u *unreachable) Read(b []byte) (int, error) {
	n, err := u.Conn.Read(b)
	if err == nil {
		return n, nil
	}
	select {
	case <-u.gaveUp:
		return 0, &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ETIMEDOUT)}
	default:
		return n, err //nolint:wrapcheck // it is the pipe's
	}
}

// TestCapacityQueueBytesOfPongs counts what is owed in pongs to peers that do not
// read as well: many of them stay within the budget of all queues.
func TestCapacityQueueBytesOfPongs(t *testing.T) {
	t.Parallel()
	inBubbles(t, func(t *testing.T, via carrier) {
		const peers, all = 20, 64 * kib
		s := besiege(t, via, listener(), &websocket.Options{
			Capacity: websocket.Capacity{QueueBytes: all}, Limits: protocol.Limits{QueueBytes: 100 * kib},
		})
		for range peers {
			p, c := s.attacker()
			s.send(c, "keeps a writer waiting, so that we read on")
			p.SendBytes(masked(finPing, strings.Repeat("p", 125), 800))
		}
		synctest.Wait()
		if pending, _, charged := websocket.Queued(s.Server); pending > all+peers*freeOfEach {
			t.Errorf("%d bytes queued, %d of them charged, want %d at the most", pending, charged, all+peers*freeOfEach)
		}
		s.good.served()
		for range peers {
			s.ended(1006, false, nil)
		}
		s.over(websocket.Stats{WriteTimeouts: peers, QueuesFull: s.Stats().QueuesFull})
	})
}

// TestCapacityHandshakesDecided takes no place of Capacity.Handshakes for a Connect
// that has accepted, and goes on.
func TestCapacityHandshakesDecided(t *testing.T) {
	t.Parallel()
	inBubbles(t, func(t *testing.T, via carrier) {
		release := make(chan struct{})
		app, first := fakes.Echo(), true
		app.OnConnect = func(_ context.Context, c *protocol.Conn) error {
			if first {
				first = false
				return nil
			}
			if err := c.Accept(nil); err != nil {
				return err
			}
			<-release
			return nil
		}
		s := besiege(t, via, app, &websocket.Options{Capacity: websocket.Capacity{Handshakes: 1}})
		for range 3 {
			if a := s.peer(t).Handshake(websockettest.Request("/")); a.Status != http.StatusSwitchingProtocols {
				t.Errorf("status %d, want 101", a.Status)
			}
		}
		s.good.served()
		close(release)
	})
}

// TestHostileOriginsDoNotFillTheLog has a page knock again and again.
func TestHostileOriginsDoNotFillTheLog(t *testing.T) {
	t.Parallel()
	inBubbles(t, func(t *testing.T, via carrier) {
		s := besiege(t, via, fakes.Echo(), nil)
		for range 100 {
			if a := s.peer(t).Handshake(websockettest.Request("/", "Origin: https://evil.example")); a.Status != http.StatusForbidden {
				t.Fatalf("status %d, want 403", a.Status)
			}
		}
		if n := strings.Count(s.log.String(), "refused because of its origin"); n != 1 {
			t.Errorf("%d lines about it within a moment, want 1", n)
		}
		s.over(websocket.Stats{Forbidden: 100})
	})
}

// TestHostilePath makes sure that the request's line is bounded as its headers
// are: of its path a copy is kept for as long as the connection lasts.
func TestHostilePath(t *testing.T) {
	t.Parallel()
	inBubbles(t, func(t *testing.T, via carrier) {
		s := besiege(t, via, fakes.Echo(), nil)
		p := s.peer(t)
		p.floods([]byte(websockettest.Request("/"+strings.Repeat("p", 900*kib))), 1)
		if a := p.ReadAnswer(); a.Status == http.StatusSwitchingProtocols {
			t.Errorf("a path of 900 KiB was let in, with a MaxHandshake of 32 KiB")
		}
	})
}
