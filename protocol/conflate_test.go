package protocol_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/wye-go/wye/internal/events"
	"github.com/wye-go/wye/internal/plumbing"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/protocol"
)

// TestConflationBeforeTheAnswer sends in Connect, where messages wait in the
// session: as Message.Key says, within Limits.QueueBytes.
func TestConflationBeforeTheAnswer(t *testing.T) {
	t.Parallel()
	const one = 64 + plumbing.KeyOverhead + 1 + 2 // a message of this test that has a key
	for _, test := range []struct {
		at        testkit.Line
		limit     int
		sent      string // the first letter is the key; a dot is none
		want      string
		conflated int64
		full      int
	}{
		{testkit.Here(), 1000, "a1 b2 a3", "a3 b2", 1, 0},
		{testkit.Here(), 1000, "a1 .2 a3", ".2 a3", 1, 0},
		{testkit.Here(), 1000, ".1 a2 b3 a4 .5 .6 b7", ".1 a4 .5 .6 b7", 2, 0},
		{testkit.Here(), 1000, ".1 .2", ".1 .2", 0, 0},
		{testkit.Here(), 2 * one, "a1 b2 a3 b4 a5 b6", "a5 b6", 4, 0},
		{testkit.Here(), 2 * one, "a1 b2 c3", "a1 b2", 0, 1},
		{testkit.Here(), 2 * one, "a1 b2 a33", "a1 b2", 0, 1}, // the earlier one stays
		{testkit.Here(), 1, "a1 a22 b3", "a22", 1, 1},         // one always fits
	} {
		for _, way := range []string{"Send", "SendPrepared", "Offer"} {
			full := 0
			w := &wire{}
			r := openOn(t, w, &fakes.Handler{OnConnect: func(ctx context.Context, c *protocol.Conn) error {
				for s := range strings.FieldsSeq(test.sent) {
					m := protocol.Message{Data: []byte(s), Key: strings.Trim(s[:1], ".")}
					switch err := send(ctx, way, c, m); {
					case errors.Is(err, protocol.ErrQueueFull):
						full++
					case err != nil:
						return fmt.Errorf("%s: %w", s, err)
					}
					clear(m.Data)
				}
				return nil
			}}, protocol.Limits{QueueBytes: test.limit})
			if got, n := w.sent(), r.counters.Stats().MessagesConflated; got != test.want || n != test.conflated || full != test.full {
				t.Errorf("%s: %s: sent %q, %d conflated, %d did not fit, want %q, %d, %d",
					test.at, way, got, n, full, test.want, test.conflated, test.full)
			}
			r.vanish()
		}
	}
}

// TestIncomingMessagesHaveNoKey has a transport give them one.
func TestIncomingMessagesHaveNoKey(t *testing.T) {
	t.Parallel()
	keys := make(chan string, 2)
	r := open(t, &fakes.Handler{OnReceive: func(_ context.Context, _ *protocol.Conn, m protocol.Message) error {
		keys <- m.Key
		return nil
	}}, protocol.Limits{})
	r.Receive(protocol.Message{Key: "key"})
	if err := r.Deliver(t.Context(), protocol.Message{Key: "key"}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if key := <-keys; key != "" {
			t.Errorf("a message came with the key %q", key)
		}
	}
	r.vanish()
}

// TestEventsKeepTheKeyHere has an event of SendType keep the key in its process,
// and not on its way to others.
func TestEventsKeepTheKeyHere(t *testing.T) {
	t.Parallel()
	e := protocol.SendType.New(protocol.Message{Data: []byte("x"), Key: "secret"})
	m, err := protocol.SendType.Payload(e)
	if err != nil || m.Key != "secret" || e.Prepared().Key() != "secret" {
		t.Errorf("the payload has the key %q and the error %v, the message the key %q", m.Key, err, e.Prepared().Key())
	}
	body, err := events.Payload(e)
	if err != nil || strings.Contains(string(body), "secret") {
		t.Errorf("on the wire it is %q, %v", body, err)
	}
	p := protocol.Prepare(m)
	frame := string(p.AppendFrame(nil, "test", func(b []byte, m protocol.Message) []byte { return append(b, m.Data...) }))
	p.Release()
	if frame != "x" || protocol.Prepare(protocol.Text("y")).Key() != "" {
		t.Error("a key is left behind")
	}
}
