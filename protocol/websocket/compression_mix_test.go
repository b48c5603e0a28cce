package websocket_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket"
)

// TestCompressionMix has several goroutines send messages of all kinds to one connection,
// whose peer reads in fits and starts, so that messages with keys are replaced in the queue.
// The peer must be able to inflate all that comes.
func TestCompressionMix(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, e websocket.Engine) {
		t.Helper()
		for round := range 3 {
			app, opened := conns()
			s := serve(t, app, &websocket.Options{
				Engine: e, Compression: &websocket.Compression{ServerTakeover: round > 0, ServerWindowBits: 10 + round},
				Limits: protocol.Limits{QueueBytes: 64 << 20},
			})
			p := s.openDeflate(t, deflateOffer)
			p.Conn.SetReadDeadline(time.Now().Add(patience)) //nolint:errcheck // reads fail
			c := <-opened
			mixed := newMixed(round)
			var senders sync.WaitGroup
			for i := range mixed.senders {
				senders.Go(func() { mixed.send(t, c, i) })
			}
			finished := make(chan struct{})
			go func() {
				senders.Wait()
				if err := c.Send(context.Background(), protocol.Text("last")); err != nil {
					t.Error(err)
				}
				close(finished)
			}()
			for i := 0; ; i++ {
				if i == 5 {
					<-finished // what waits until then is replaced
				}
				m := p.readMessage()
				if m.data == "last" {
					break
				}
				mixed.got(t, m)
			}
			mixed.wantAll(t)
			p.closes()
		}
	})
}

// mixed is what several goroutines send to one connection.
type mixed struct {
	senders, each int
	seed          int
	next          []int // of each sender, without a key
}

func newMixed(seed int) *mixed {
	const senders = 3
	return &mixed{senders: senders, each: 60, seed: seed, next: make([]int, senders)}
}

// body returns the i-th message of a sender.
func (m *mixed) body(sender, i int) string {
	r := rand.New(rand.NewPCG(uint64(sender), uint64(i*10+m.seed)))
	size := r.IntN(1500)
	if i%20 == 7 {
		size = 40_000
	}
	return fmt.Sprintf("%d %d %v %s", sender, i, i%5 == 2, line(r, size))
}

func (m *mixed) send(t *testing.T, c *protocol.Conn, sender int) {
	t.Helper()
	for i := range m.each {
		msg := protocol.Text(m.body(sender, i))
		if i%5 == 2 {
			msg.Key = fmt.Sprint("key", i%3)
		}
		msg.Uncompressed = i%11 == 4
		var err error
		switch i % 3 {
		case 0:
			err = c.Offer(protocol.Prepare(msg))
		default:
			err = c.Send(context.Background(), msg)
		}
		if err != nil {
			t.Errorf("sending: %v", err)
		}
	}
}

// got checks a message that has come.
func (m *mixed) got(t *testing.T, msg message) {
	t.Helper()
	var sender, i int
	var keyed bool
	if _, err := fmt.Sscan(msg.data, &sender, &i, &keyed); err != nil || msg.data != m.body(sender, i) {
		t.Fatalf("got %.100q (%d bytes), which nobody has sent: %v", msg.data, len(msg.data), err)
	}
	if compressed := len(msg.data) >= 256 && i%11 != 4; msg.compressed != compressed {
		t.Fatalf("message %d of %d bytes: compressed %v, want %v", i, len(msg.data), msg.compressed, compressed)
	}
	if keyed {
		return
	}
	for m.next[sender]%5 == 2 {
		m.next[sender]++
	}
	if i != m.next[sender] {
		t.Fatalf("got message %d of sender %d, want %d", i, sender, m.next[sender])
	}
	m.next[sender]++
}

func (m *mixed) wantAll(t *testing.T) {
	t.Helper()
	for sender, n := range m.next {
		if n < m.each {
			t.Errorf("%d messages of sender %d have come, want %d", n, sender, m.each)
		}
	}
}

// TestCompressionBroadcast has members that have agreed on different things in one group: a
// message is compressed once for each kind of them.
func TestCompressionBroadcast(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, e websocket.Engine) {
		t.Helper()
		l := new(layers.Layer)
		made := make(chan int, 1000)
		s := serve(t, group(l), &websocket.Options{Engine: e, Compression: &websocket.Compression{
			ServerTakeover: true,
			Skip:           func(m protocol.Message) bool { made <- len(m.Data); return strings.HasPrefix(m.Text(), "skip") },
		}})
		offers := []string{
			"X-None: 1", deflateOffer, "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover",
			"Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=9", deflateOffer,
		}
		var peers []*deflatePeer
		for _, offer := range offers {
			peers = append(peers, s.openDeflate(t, offer))
		}
		r := rand.New(rand.NewPCG(9, 9))
		rows := []struct {
			at         testkit.Line
			m          protocol.Message
			compressed bool
			made       int
		}{
			{testkit.Here(), protocol.Text("small"), false, 0},
			{testkit.Here(), protocol.Text(line(r, 300)), true, 1}, // all windows are as large as that
			{testkit.Here(), protocol.Text(line(r, 900)), true, 2},
			{testkit.Here(), protocol.Binary([]byte(line(r, 10_000))), true, 2},
			{testkit.Here(), protocol.Text("skip" + line(r, 300)), false, 1},
			{testkit.Here(), protocol.Message{Data: []byte(line(r, 900)), Uncompressed: true}, false, 0},
			{testkit.Here(), protocol.Message{Data: []byte(line(r, 900)), Key: "k"}, true, 2},
		}
		for _, row := range rows {
			if err := l.Broadcast(t.Context(), "all", row.m); err != nil {
				t.Fatal(err)
			}
			op := byte(text)
			if row.m.Kind == protocol.KindBinary {
				op = binaryOp
			}
			for i, p := range peers {
				p.want(op, row.m.Text(), row.compressed && i > 0)
			}
			if n := len(made); n != row.made {
				t.Errorf("%s: encoded %d times, want %d", row.at, n, row.made)
			}
			for len(made) > 0 {
				<-made
			}
		}
		for _, p := range peers {
			p.closes()
		}
	})
}

// TestCompressionSecrets makes sure that Uncompressed reaches the wire whichever way a message
// goes.
func TestCompressionSecrets(t *testing.T) {
	t.Parallel()
	secret := protocol.Message{Data: []byte(strings.Repeat("token=42;", 100)), Uncompressed: true}
	app := &fakes.Handler{OnReceive: func(ctx context.Context, c *protocol.Conn, _ protocol.Message) error {
		clone := secret.Clone()
		prepared := protocol.Prepare(secret)
		return firstError(c.Send(ctx, secret), c.Send(ctx, clone), c.SendPrepared(ctx, prepared), c.Offer(prepared),
			c.Send(ctx, prepared.Message()))
	}}
	s := serve(t, app, &websocket.Options{Compression: &websocket.Compression{ServerTakeover: true}})
	p := s.openDeflate(t, deflateOffer)
	p.SendText("go")
	for range 5 {
		p.want(text, secret.Text(), false)
	}
	p.closes()
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
