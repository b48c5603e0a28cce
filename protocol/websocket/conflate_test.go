package websocket_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket"
)

// TestConflation has a peer read nothing for a while: then it gets the latest of
// each key, whichever way they were sent.
func TestConflation(t *testing.T) {
	t.Parallel()
	for name, send := range map[string]func(ctx context.Context, c *protocol.Conn, m protocol.Message) error{
		"Send": func(ctx context.Context, c *protocol.Conn, m protocol.Message) error { return c.Send(ctx, m) },
		"SendPrepared": func(ctx context.Context, c *protocol.Conn, m protocol.Message) error {
			return c.SendPrepared(ctx, protocol.Prepare(m))
		},
		"Offer": func(_ context.Context, c *protocol.Conn, m protocol.Message) error {
			return c.Offer(protocol.Prepare(m))
		},
	} {
		for _, size := range []int{0, 5000} {
			t.Run(fmt.Sprint(name, " of ", size), func(t *testing.T) {
				t.Parallel()
				inBubbles(t, func(t *testing.T, via carrier) {
					app, opened := conns()
					s := serveOver(t, via, app, &websocket.Options{Limits: protocol.Limits{QueueBytes: 100 << 10}})
					p := s.open(t)
					c := settled(opened)
					must := func(key, text string) {
						t.Helper()
						m := protocol.Message{Data: []byte(text + strings.Repeat(" ", size)), Key: key}
						if err := send(t.Context(), c, m); err != nil {
							t.Fatal(err)
						}
						synctest.Wait() // the first is being written
					}
					must("EUR", "1.00")
					for i := range 1000 {
						must("EUR", fmt.Sprintf("1.%04d", i))
						must("GBP", fmt.Sprintf("2.%04d", i))
					}
					must("", "closed for today")
					must("EUR", "1.5")
					wants, conflated := []string{"1.00", "2.0999", "closed for today", "1.5"}, int64(1999)
					if via.loops { // a loop starts no frame before the peer reads
						wants, conflated = wants[1:], 2000
					}
					for _, want := range wants {
						p.WantText(want + strings.Repeat(" ", size))
					}
					if st := s.Stats(); st.MessagesConflated != conflated || st.MessagesDropped != 0 || st.QueuesFull != 0 {
						t.Errorf("%+v, want %d conflated and none dropped", st, conflated)
					}
					p.closes()
				})
			})
		}
	}
}

// TestBroadcastConflates has one of two members read nothing.
func TestBroadcastConflates(t *testing.T) {
	t.Parallel()
	inBubbles(t, func(t *testing.T, via carrier) {
		l := new(layers.Layer)
		s := serveOver(t, via, group(l), nil)
		quick, slow := s.open(t), s.open(t)
		synctest.Wait()
		const last = 300
		text := func(i int) string { return fmt.Sprint(i, strings.Repeat(" ", 64<<10)) }
		for i := range last + 1 {
			if err := l.Broadcast(t.Context(), "all", protocol.Message{Data: []byte(text(i)), Key: "position"}); err != nil {
				t.Fatal(err)
			}
			quick.WantText(text(i))
			synctest.Wait()
		}
		want := int64(last)
		if !via.loops { // a loop starts no frame before the peer reads
			slow.WantText(text(0))
			want--
		}
		slow.WantText(text(last))
		if st := s.Stats(); st.MessagesConflated != want || st.SlowClosed != 0 {
			t.Errorf("%+v, want %d conflated and nobody closed", st, want)
		}
		quick.closes()
		slow.closes()
	})
}

// TestConflationRace has several send the same keys while the peer reads: each
// key's numbers grow for each sender, the last of each sender's own key arrives,
// and nothing is lost but what was counted.
func TestConflationRace(t *testing.T) {
	t.Parallel()
	inMemory(t, testConflationRace)
}

func testConflationRace(t *testing.T, via carrier) {
	t.Helper()
	app, opened := conns()
	s := serveOver(t, via, app, nil)
	p := s.open(t)
	c := <-opened
	const senders, each = 4, 500
	var wg sync.WaitGroup
	for sender := range senders {
		wg.Go(func() { sendKeys(t, c, sender, each) })
	}
	go func() {
		wg.Wait()
		if err := c.Send(t.Context(), protocol.Text("the end 0 0")); err != nil {
			t.Error(err)
		}
	}()
	last, got := readKeys(t, p)
	for sender := range senders {
		if of := fmt.Sprintf("own%d %d", sender, sender); last[of] != each-1 {
			t.Errorf("%s: the last that came is %d", of, last[of])
		}
	}
	if st := s.Stats(); got+st.MessagesConflated != 2*senders*each || st.MessagesDropped != 0 {
		t.Errorf("%d came, %d conflated, %d dropped, of %d", got, st.MessagesConflated, st.MessagesDropped, 2*senders*each)
	}
	p.closes()
}

// sendKeys sends under a key that is shared, and under one of its own.
func sendKeys(t *testing.T, c *protocol.Conn, sender, each int) {
	t.Helper()
	for i := range each {
		for _, key := range []string{"shared", fmt.Sprint("own", sender)} {
			m := protocol.Message{Data: fmt.Appendf(nil, "%s %d %d", key, sender, i), Key: key}
			if i%50 == 7 {
				m.Data = append(m.Data, make([]byte, 3000)...)
			}
			var err error
			if i%2 == 0 {
				err = c.Send(t.Context(), m)
			} else {
				err = c.SendPrepared(t.Context(), protocol.Prepare(m))
			}
			if err != nil {
				t.Error(err)
			}
		}
	}
}

// readKeys reads what sendKeys has sent, up to the end. Numbers must grow.
func readKeys(t *testing.T, p *peer) (last map[string]int, n int64) {
	t.Helper()
	last = map[string]int{}
	for {
		r := p.Next()
		if strings.HasPrefix(r.Payload, "the end") {
			return last, n
		}
		var key string
		var sender, i int
		if _, err := fmt.Sscan(r.Payload, &key, &sender, &i); err != nil {
			t.Fatalf("%.40q came: %v", r.Payload, err)
		}
		n++
		of := fmt.Sprint(key, " ", sender)
		if before, ok := last[of]; ok && before >= i {
			t.Errorf("%s: %d came behind %d", of, i, before)
		}
		last[of] = i
	}
}
