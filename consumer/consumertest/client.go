package consumertest

import (
	"encoding/json"
	"net/http"
	"reflect"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wye-go/wye/protocol"
)

// Client is the peer of one connection. Its methods must be called by the goroutine of
// the test. A method that waits for a message or a close fails the test at once if it
// does not get what it wants, or gets nothing within [Options].Patience.
type Client struct {
	t         testing.TB
	session   *protocol.Session
	transport *transport
	counters  protocol.Counters
	patience  time.Duration
	finished  chan struct{} // closed when Disconnect has returned and the groups are left

	actions struct { // what the client does next
		sync.Mutex
		queue []func()
		added chan struct{} // capacity 1
	}
}

const defaultPatience = 5 * time.Second

func newClient(t testing.TB, patience time.Duration) *Client {
	t.Helper()
	c := &Client{t: t, transport: newTransport(), patience: patience, finished: make(chan struct{})}
	c.actions.added = make(chan struct{}, 1)
	if c.patience <= 0 {
		c.patience = defaultPatience
	}
	return c
}

// addAction queues f, which runActions calls, so that a blocked callback delays the
// client's messages but not the test.
func (c *Client) addAction(f func()) {
	c.actions.Lock()
	c.actions.queue = append(c.actions.queue, f)
	c.actions.Unlock()
	select {
	case c.actions.added <- struct{}{}:
	default:
	}
}

// runActions calls the queued actions in order until the connection is finished.
func (c *Client) runActions() {
	for {
		c.actions.Lock()
		queue := c.actions.queue
		c.actions.queue = nil
		c.actions.Unlock()
		for _, f := range queue {
			f()
		}
		if len(queue) > 0 {
			continue
		}
		select {
		case <-c.actions.added:
		case <-c.finished:
			return
		}
	}
}

// Send sends m and returns without waiting for the consumer. It does not keep m.Data.
func (c *Client) Send(m protocol.Message) {
	m = m.Clone()
	c.addAction(func() { c.deliverMessage(m) })
}

// deliverMessage passes m to the session. If that starts a callback, the callback has a
// goroutine of its own, so that the client's next action reaches the session while the
// callback runs, as with a real transport.
func (c *Client) deliverMessage(m protocol.Message) {
	received := make(chan bool, 1)
	go func() { received <- c.session.Receive(m) }()
	select {
	case <-c.transport.busy:
	case <-received:
		select { // forget this callback: the next message waits for the start of its own
		case <-c.transport.busy:
		default:
		}
	}
	resumed := make(chan struct{}) // closed at once, unless the session wants no message now
	c.session.Resume(func() { close(resumed) })
	<-resumed
}

// SendText sends a text message.
func (c *Client) SendText(s string) { c.Send(protocol.Text(s)) }

// SendBinary sends a binary message.
func (c *Client) SendBinary(b []byte) { c.Send(protocol.Binary(b)) }

// SendJSON sends v, encoded by encoding/json, as a text message. If v cannot be encoded,
// SendJSON fails the test.
func (c *Client) SendJSON(v any) {
	c.t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		c.t.Fatalf("consumertest: SendJSON: %v", err)
	}
	c.Send(protocol.Message{Data: b})
}

// Close closes the connection from the client's side, after the messages that the client
// has sent. It has no effect on a closed connection.
func (c *Client) Close(code protocol.CloseCode, reason string) {
	c.addAction(func() { c.session.Ended(protocol.CloseStatus{Code: code, Reason: reason, Remote: true}) })
}

// Vanish breaks the connection without a close, as a network that fails does. Disconnect
// receives CloseAbnormal.
func (c *Client) Vanish() {
	c.addAction(func() { c.session.Ended(protocol.CloseStatus{Code: protocol.CloseAbnormal}) })
}

// Subprotocol returns the subprotocol that was chosen, or "".
func (c *Client) Subprotocol() string {
	c.transport.mu.Lock()
	defer c.transport.mu.Unlock()
	return c.transport.mu.accepted.Subprotocol
}

// Header returns a copy of the headers that the consumer added to the answer
// (AcceptOptions.Header), for example its cookies.
func (c *Client) Header() http.Header {
	c.transport.mu.Lock()
	defer c.transport.mu.Unlock()
	return c.transport.mu.accepted.Header.Clone()
}

// Stats returns the counters of the connection.
func (c *Client) Stats() protocol.Stats { return c.counters.Stats() }

// Message waits for the next message and returns it. If the server closes first, Message
// fails the test.
func (c *Client) Message() protocol.Message {
	c.t.Helper()
	m, closed := c.awaitNext()
	if closed != nil {
		c.t.Fatalf("consumertest: the server closed with %v %q (%v) instead of sending a message", closed.Code, closed.Reason, closed.Err)
	}
	return m
}

// SkipTo waits for a message for which match returns true, returns it, and discards the
// messages before it. SkipTo fails the test if the server closes, or if no message comes
// within Options.Patience of the one before.
func (c *Client) SkipTo(match func(m protocol.Message) bool) protocol.Message {
	c.t.Helper()
	for skipped := 0; ; skipped++ {
		m, closed := c.awaitNext()
		if closed != nil {
			c.t.Fatalf("consumertest: the server closed with %v %q (%v) after %d messages that were skipped",
				closed.Code, closed.Reason, closed.Err, skipped)
		}
		if match(m) {
			return m
		}
	}
}

// DecodeJSON waits for the next message and decodes it into v, a pointer as for
// json.Unmarshal. If the message is binary or cannot be decoded, DecodeJSON fails the test.
func (c *Client) DecodeJSON(v any) {
	c.t.Helper()
	m := c.Message()
	if m.Kind != protocol.KindText {
		c.t.Fatalf("consumertest: got the binary message %q, want JSON in text", m.Data)
	}
	if err := json.Unmarshal(m.Data, v); err != nil {
		c.t.Fatalf("consumertest: decoding %s into a %T: %v", m.Data, v, err)
	}
}

// WantText waits for the next message. If it is not the text want, WantText fails the
// test.
func (c *Client) WantText(want string) {
	c.t.Helper()
	if m := c.Message(); m.Kind != protocol.KindText || m.Text() != want {
		c.t.Fatalf("consumertest: got the %v message %q, want the text %q", m.Kind, m.Data, want)
	}
}

// WantJSON waits for the next message. If it is not text with the JSON value that want
// encodes to, WantJSON fails the test. It ignores the order of fields and white space.
func (c *Client) WantJSON(want any) {
	c.t.Helper()
	b, err := json.Marshal(want)
	if err != nil {
		c.t.Fatalf("consumertest: WantJSON: %v", err)
	}
	m := c.Message()
	var got, wanted any
	if err := json.Unmarshal(m.Data, &got); err != nil || m.Kind != protocol.KindText {
		c.t.Fatalf("consumertest: got the %v message %q, want JSON in text", m.Kind, m.Data)
	}
	if err := json.Unmarshal(b, &wanted); err != nil || !reflect.DeepEqual(got, wanted) {
		c.t.Fatalf("consumertest: got %s, want %s", m.Data, b)
	}
}

// WantClose waits until the server closes, and returns the status. If a message comes
// first, or the server closes with another code, WantClose fails the test.
func (c *Client) WantClose(code protocol.CloseCode) protocol.CloseStatus {
	c.t.Helper()
	m, closed := c.awaitNext()
	if closed == nil {
		c.t.Fatalf("consumertest: got the %v message %q, want a close with %v", m.Kind, m.Data, code)
	}
	if closed.Code != code {
		c.t.Fatalf("consumertest: closed with %v %q (%v), want %v", closed.Code, closed.Reason, closed.Err, code)
	}
	return *closed
}

// WantNothing fails the test if a message or a close has come, or comes before all
// goroutines of the bubble are blocked. It must be called in a bubble of testing/synctest:
// outside one it cannot know that nothing more will come, and fails the test.
func (c *Client) WantNothing() {
	c.t.Helper()
	c.waitForBubble()
	switch m, ok, closed, _ := c.transport.popMessage(); {
	case ok:
		c.t.Fatalf("consumertest: got the %v message %q, want nothing", m.Kind, m.Data)
	case closed != nil:
		c.t.Fatalf("consumertest: the server closed with %v %q (%v), want nothing", closed.Code, closed.Reason, closed.Err)
	}
}

// waitForBubble waits until the other goroutines of the bubble are blocked.
func (c *Client) waitForBubble() {
	c.t.Helper()
	defer func() {
		if recover() != nil {
			c.t.Fatal("consumertest: WantNothing works only inside synctest.Test(t, func(t *testing.T) { ... })")
		}
	}()
	synctest.Wait()
}

// WantOver waits until the connection is over on the server's side: Disconnect has
// returned, and the connection has left its groups.
func (c *Client) WantOver() {
	c.t.Helper()
	if !c.finishesWithin(c.patience) {
		c.t.Fatalf("consumertest: the connection is not over after %v; is a callback blocked?", c.patience)
	}
}

// awaitNext waits for a message or a close.
func (c *Client) awaitNext() (protocol.Message, *protocol.CloseStatus) {
	c.t.Helper()
	timeout := time.NewTimer(c.patience)
	defer timeout.Stop()
	for {
		m, ok, closed, drained := c.transport.popMessage()
		if drained {
			c.session.Drained()
		}
		if ok || closed != nil {
			return m, closed
		}
		select {
		case <-c.transport.changed:
		case <-timeout.C:
			c.t.Fatalf("consumertest: nothing came within %v; is a callback blocked, or has the connection not joined the group?", c.patience)
		}
	}
}

// cleanup closes the connection at the end of the test, and waits for Disconnect.
func (c *Client) cleanup() {
	c.t.Helper()
	c.Close(protocol.CloseGoingAway, "")
	if c.finishesWithin(disconnectTime) {
		return
	}
	c.session.Ended(protocol.CloseStatus{Code: protocol.CloseGoingAway, Remote: true}) // an action of the client is blocked
	if !c.finishesWithin(2 * disconnectTime) {
		c.t.Errorf("consumertest: a callback or Disconnect still runs %v after the end of the connection", 3*disconnectTime)
	}
}

// finishesWithin waits for the end of the connection, and reports whether it comes within
// d.
func (c *Client) finishesWithin(d time.Duration) bool {
	timeout := time.NewTimer(d)
	defer timeout.Stop()
	select {
	case <-c.finished:
		return true
	case <-timeout.C:
		return false
	}
}

// disconnectTime is how long a session lets Disconnect run.
const disconnectTime = 10 * time.Second
