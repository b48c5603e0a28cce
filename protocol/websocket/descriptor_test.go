package websocket_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket/websockettest"
	"github.com/wye-go/wye/router"
)

// TestDecision25_RecycledDescriptors opens thousands of connections and ends them from both
// sides, while others send to all of them, also to those that are gone. The descriptors are
// recycled all the time, for other connections and for pipes. A peer must read nothing but
// what is meant for it, and a pipe nothing at all.
func TestDecision25_RecycledDescriptors(t *testing.T) {
	t.Parallel()
	onPlainSockets(t, func(t *testing.T, via carrier) {
		crowd := &crowd{rounds: testkit.Count(200, 50), layer: new(layers.Layer)}
		if !via.loops {
			crowd.rounds /= 10 // Go's poller knows descriptors, too
		}
		crowd.server = serveOver(t, via, crowd.app(), nil)
		stop := make(chan struct{})
		var others, peers sync.WaitGroup
		for i := range 2 {
			others.Go(func() { crowd.sendToAll(stop, i) })
		}
		others.Go(func() { crowd.broadcast(t, stop) })
		others.Go(func() { watchPipes(t, stop) })
		for i := range crowdWidth {
			peers.Go(func() { crowd.visit(t, i) })
		}
		peers.Wait()
		close(stop)
		others.Wait()
		if n, want := crowd.server.Stats().Accepted, int64(crowdWidth*crowd.rounds); n != want {
			t.Errorf("%d connections were accepted, want %d", n, want)
		}
		if crowd.heard.Load() == 0 || crowd.broadcasts.Load() == 0 {
			t.Errorf("the peers have read %d messages of their own, and %d for all", crowd.heard.Load(), crowd.broadcasts.Load())
		}
	})
}

const crowdWidth = 12 // peers at the same time

// crowd is a server with peers that come and go.
type crowd struct {
	server *server
	layer  *layers.Layer
	rounds int
	latest [crowdWidth * 4]atomic.Pointer[visitor] // most are gone already

	heard, broadcasts atomic.Int64
}

// visitor is a connection of a crowd.
type visitor struct {
	consumer.Base
	crowd *crowd
	id    int
	conn  *consumer.Conn
}

func (m *visitor) Connect(_ context.Context, c *consumer.Conn) error {
	m.conn = c
	c.Protocol().Answered(func(*consumer.RejectError) { m.crowd.latest[m.id%len(m.crowd.latest)].Store(m) })
	return nil
}

// tag is what a member is sent, over and over.
func tag(id int) string { return fmt.Sprintf("%06d.", id) }

func (c *crowd) app() protocol.Application {
	return router.Use(consumer.New(func(s *consumer.Scope) *visitor {
		id, _ := strconv.Atoi(s.Query().Get("id")) //nolint:errcheck // the peers are ours
		return &visitor{crowd: c, id: id}
	}, consumer.Groups[*visitor]("all")), layers.Middleware(c.layer))
}

// sendToAll sends each of the latest connections its own name. Some it closes.
func (c *crowd) sendToAll(stop <-chan struct{}, i int) {
	random := rand.New(rand.NewPCG(uint64(i), 25))
	for {
		select {
		case <-stop:
			return
		case <-time.After(200 * time.Microsecond):
		}
		for k := range c.latest {
			m := c.latest[k].Load()
			if m == nil {
				continue
			}
			_ = m.conn.SendText(context.Background(), strings.Repeat(tag(m.id), 1+random.IntN(300))) // it may be gone
			if random.IntN(100) == 0 {
				m.conn.Close(4000, tag(m.id))
			}
		}
	}
}

func (c *crowd) broadcast(t *testing.T, stop <-chan struct{}) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
			if err := c.layer.Broadcast(context.Background(), "all", protocol.Text("all")); err != nil {
				t.Errorf("Broadcast: %v", err)
			}
		}
	}
}

// visit is a peer that comes and goes, again and again.
func (c *crowd) visit(t *testing.T, i int) {
	t.Helper()
	random := rand.New(rand.NewPCG(uint64(i), 26))
	for round := range c.rounds {
		id := i*c.rounds + round
		p := c.server.peer(t)
		p.Upgrade(websockettest.Request(fmt.Sprint("/?id=", id)))
		for range random.IntN(4) {
			f, err := p.Read()
			if err != nil {
				break
			}
			c.check(t, id, f)
		}
		leave(p, random.IntN(5))
		for { // until the end, if the connection is not closed on our side
			f, err := p.Read()
			if err != nil {
				break
			}
			c.check(t, id, f)
		}
		p.Conn.Close()
	}
}

// check fails if a member is sent what is not meant for it.
func (c *crowd) check(t *testing.T, id int, f websockettest.Frame) {
	t.Helper()
	switch {
	case f == websockettest.Text("all"):
		c.broadcasts.Add(1)
	case f.First == finText && strings.ReplaceAll(f.Payload, tag(id), "") == "":
		c.heard.Add(1)
	case f == websockettest.Close(4000, tag(id)), f == websockettest.Close(1000, ""), f == websockettest.Close(4001, ""):
	case f.First == finClose && f.Payload[:2] == "\x03\xea": // 1002
	default:
		t.Errorf("member %d has got %v", id, f)
	}
}

// leave ends a connection in one of five ways.
func leave(p *peer, how int) {
	switch how {
	case 0:
		p.Conn.Close()
	case 1:
		_ = p.Conn.(*net.TCPConn).SetLinger(0)
		p.Conn.Close()
	case 2:
		_, _ = p.Conn.Write(closing(4001, ""))
	case 3:
		_, _ = p.Conn.Write(frame(finCont, ""))
		_ = closeWrite(p.Conn)
	default:
		_ = closeWrite(p.Conn)
	}
}

// watchPipes opens and closes pipes, whose descriptors were those of connections a moment
// ago. Nothing may arrive in them, and nobody else may close them.
func watchPipes(t *testing.T, stop <-chan struct{}) {
	t.Helper()
	var open [2][2]*os.File
	for i := 0; ; i = 1 - i {
		if r, w := open[i][0], open[i][1]; r != nil {
			if err := w.Close(); err != nil {
				t.Errorf("a pipe: %v", err)
			}
			if b, err := io.ReadAll(r); len(b) > 0 || err != nil {
				t.Errorf("a pipe has got %q, %v", b, err)
			}
			if err := r.Close(); err != nil {
				t.Errorf("a pipe: %v", err)
			}
			open[i] = [2]*os.File{}
		}
		select {
		case <-stop:
			if open[1-i][0] == nil {
				return
			}
			continue
		case <-time.After(100 * time.Microsecond):
		}
		r, w, err := os.Pipe()
		if err != nil {
			t.Error(err)
			return
		}
		open[i] = [2]*os.File{r, w}
	}
}
