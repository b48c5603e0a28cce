package websocket_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket"
	"github.com/wye-go/wye/protocol/websocket/websockettest"
)

// TestDecision25_CloseRacesWithWriters ends connections in every way there is
// while many goroutines write to them, so that a socket's number could be
// another connection's by the time of a write. Each peer must see nothing but
// what was written to it.
func TestDecision25_CloseRacesWithWriters(t *testing.T) {
	t.Parallel()
	onPlainSockets(t, func(t *testing.T, via carrier) {
		const writers = 4
		rounds := testkit.Count(40, 12)
		var all sync.WaitGroup
		app, opened := conns()
		s := serveOver(t, via, app, nil)
		for i := range rounds {
			name := fmt.Sprintf("%04d", i)
			p, c := s.open(t), <-opened
			for k := range writers {
				all.Go(func() { writeUntilClosed(t, c, name, k) })
			}
			all.Go(func() { p.readUntilEnd(name, i) })
		}
		all.Wait()
	})
}

// writeUntilClosed sends until the connection has ended.
func writeUntilClosed(t *testing.T, c *protocol.Conn, name string, i int) {
	t.Helper()
	random := rand.New(rand.NewPCG(uint64(i), 1))
	for n := range 200 {
		m := protocol.Text(strings.Repeat(name, 1+random.IntN(1000)))
		var err error
		if n%2 == 0 {
			err = c.Send(context.Background(), m)
		} else {
			err = c.SendPrepared(context.Background(), protocol.Prepare(m))
		}
		switch {
		case errors.Is(err, protocol.ErrClosed):
			return
		case err != nil && !errors.Is(err, protocol.ErrQueueFull): // the answer is still being given
			t.Errorf("Send: %v", err)
		}
	}
	c.Close(4000, "enough")
}

// readUntilEnd reads some, and then ends the connection in a way of its own.
func (p *peer) readUntilEnd(name string, i int) {
	for n := 0; ; n++ {
		got, err := p.Read()
		if err != nil {
			return
		}
		if got.First == finText && strings.ReplaceAll(got.Payload, name, "") != "" {
			p.tb.Errorf("%s was sent %v", name, got)
		}
		switch {
		case got.First == finClose:
			p.Conn.Write(closing(4000, "")) //nolint:errcheck // the next read shows it
		case n < 10+i:
		case i%4 == 0:
			p.Conn.Close()
		case i%4 == 1:
			p.Conn.Write(closing(1000, "")) //nolint:errcheck // the next read shows it
		case i%4 == 2:
			p.Conn.Write(frame(finCont, "")) //nolint:errcheck // the next read shows it
		}
	}
}

// TestJoinSendLeaveRace has members come and go while others send to the group,
// and the server shuts down in the end.
func TestJoinSendLeaveRace(t *testing.T) {
	t.Parallel()
	onPlainSockets(t, func(t *testing.T, via carrier) {
		l := new(layers.Layer)
		s := serveOver(t, via, group(l), nil)
		stop := make(chan struct{})
		var senders, members sync.WaitGroup
		for i := range 3 {
			senders.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					if err := l.Broadcast(context.Background(), "all", protocol.Text(strings.Repeat("m", 1000*i+10))); err != nil {
						t.Error(err)
					}
				}
			})
		}
		for range 4 {
			members.Go(func() {
				for range 8 {
					p := s.peer(t)
					p.Upgrade(websockettest.Request("/"))
					for range 20 {
						p.Next()
					}
					p.Conn.Close()
				}
			})
		}
		members.Wait()
		close(stop)
		senders.Wait()
	})
}

// slowLog is a slog.Handler that says when it has a record, and looks at its
// attributes only after it was told to.
type slowLog struct {
	slog.Handler
	has, look chan struct{}
}

func (h *slowLog) Enabled(context.Context, slog.Level) bool { return true }
func (h *slowLog) Handle(_ context.Context, r slog.Record) error { //nolint:gocritic // it is slog's signature
	close(h.has)
	<-h.look
	r.Attrs(func(a slog.Attr) bool { a.Value.Resolve(); return true })
	return nil
}

// spy is a ResponseWriter that calls taken before its connection is taken over.
type spy struct {
	http.ResponseWriter
	taken func()
}

func (s spy) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	s.taken()
	return http.NewResponseController(s.ResponseWriter).Hijack()
}

// TestLogRacesWithAccept logs something about a connection from one goroutine
// while another one accepts it. It is for the race detector.
func TestLogRacesWithAccept(t *testing.T) {
	t.Parallel()
	onSockets(t, func(t *testing.T, via carrier) {
		log := &slowLog{has: make(chan struct{}), look: make(chan struct{})}
		accepts, done := make(chan struct{}), make(chan struct{})
		app := &fakes.Handler{OnConnect: func(_ context.Context, c *protocol.Conn) error {
			go func() {
				defer close(done)
				<-accepts // before, it would refuse the connection
				c.Close(1005, "a code that cannot be sent is logged")
			}()
			return nil
		}}
		s := newServer(app, &websocket.Options{Logger: slog.New(log)})
		taken := func() {
			close(accepts)
			<-log.has
			close(log.look)
		}
		s.listenOver(t, via, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.ServeHTTP(spy{w, taken}, r) }))
		p := s.open(t)
		p.Want(websockettest.Close(1011, ""))
		p.closesBack(1011)
		<-done
	})
}
