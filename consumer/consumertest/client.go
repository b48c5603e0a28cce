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

// Client is the peer of one connection. Its methods are for the test's
// goroutine; the Want methods fail the test at once when they do not get what
// they want.
type Client struct {
	t         testing.TB
	session   *protocol.Session
	transport *transport
	counters  protocol.Counters
	patience  time.Duration
	over      chan struct{} // closed when the connection is over

	out struct {
		sync.Mutex
		queue []func()
		wake  chan struct{}
	}
}

const defaultPatience = 5 * time.Second

func newClient(t testing.TB, o *Options) *Client {
	t.Helper()
	c := &Client{t: t, transport: newTransport(), patience: o.Patience, over: make(chan struct{})}
	c.out.wake = make(chan struct{}, 1)
	if c.patience <= 0 {
		c.patience = defaultPatience
	}
	return c
}

// say queues what the client does next, so that a consumer that blocks holds up
// the client's messages and not the test.
func (c *Client) say(f func()) {
	c.out.Lock()
	c.out.queue = append(c.out.queue, f)
	c.out.Unlock()
	select {
	case c.out.wake <- struct{}{}:
	default:
	}
}

// deliver is the network: it does what the client has said, in order.
func (c *Client) deliver() {
	for {
		c.out.Lock()
		queue := c.out.queue
		c.out.queue = nil
		c.out.Unlock()
		for _, f := range queue {
			f()
		}
		if len(queue) > 0 {
			continue
		}
		select {
		case <-c.out.wake:
		case <-c.over:
			return
		}
	}
}

// Send sends a message. It does not wait for the consumer.
func (c *Client) Send(m protocol.Message) {
	m = m.Clone()
	c.say(func() { c.handOver(m) })
}

// handOver gives m to the session. If that runs a callback, the callback gets a
// goroutine to itself, so that what the client does next reaches the session
// while it is busy, as with a real transport.
func (c *Client) handOver(m protocol.Message) {
	taken := make(chan bool, 1)
	go func() { taken <- c.session.Receive(m) }()
	select {
	case <-c.transport.busy:
	case <-taken:
		select { // if there was a callback, the next message must wait for its own
		case <-c.transport.busy:
		default:
		}
	}
	resumed := make(chan struct{}) // at once, unless the session wants no more for now
	c.session.Resume(func() { close(resumed) })
	<-resumed
}

// SendText sends a text message.
func (c *Client) SendText(s string) { c.Send(protocol.Text(s)) }

// SendBinary sends a binary message.
func (c *Client) SendBinary(b []byte) { c.Send(protocol.Binary(b)) }

// SendJSON sends v, encoded, as a text message. It fails the test if v cannot be
// encoded.
func (c *Client) SendJSON(v any) {
	c.t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		c.t.Fatalf("consumertest: SendJSON: %v", err)
	}
	c.Send(protocol.Message{Data: b})
}

// Close closes from the client's side, behind what it has sent. Calling it on a
// closed connection does nothing.
func (c *Client) Close(code protocol.CloseCode, reason string) {
	c.say(func() { c.session.Ended(protocol.CloseStatus{Code: code, Reason: reason, Remote: true}) })
}

// Vanish breaks the connection, as a cable that is pulled does.
func (c *Client) Vanish() {
	c.say(func() { c.session.Ended(protocol.CloseStatus{Code: protocol.CloseAbnormal}) })
}

// Subprotocol returns the one that was chosen, or "".
func (c *Client) Subprotocol() string {
	c.transport.mu.Lock()
	defer c.transport.mu.Unlock()
	return c.transport.mu.accepted.Subprotocol
}

// Header returns the headers that the consumer added to the answer (AcceptOptions.Header),
// for example its cookies. It is a copy.
func (c *Client) Header() http.Header {
	c.transport.mu.Lock()
	defer c.transport.mu.Unlock()
	return c.transport.mu.accepted.Header.Clone()
}

// Stats returns the connection's counters.
func (c *Client) Stats() protocol.Stats { return c.counters.Stats() }

// Message waits for the next message and returns it.
func (c *Client) Message() protocol.Message {
	c.t.Helper()
	m, closed := c.await()
	if closed != nil {
		c.t.Fatalf("consumertest: the server closed with %v %q (%v) instead of sending a message", closed.Code, closed.Reason, closed.Err)
	}
	return m
}

// SkipTo waits for a message of which match reports true, and returns it; what comes
// before is thrown away. It fails the test at once if the server closes, or if nothing
// comes for as long as Options.Patience.
func (c *Client) SkipTo(match func(m protocol.Message) bool) protocol.Message {
	c.t.Helper()
	for skipped := 0; ; skipped++ {
		m, closed := c.await()
		if closed != nil {
			c.t.Fatalf("consumertest: the server closed with %v %q (%v) after %d messages that were skipped",
				closed.Code, closed.Reason, closed.Err, skipped)
		}
		if match(m) {
			return m
		}
	}
}

// DecodeJSON waits for the next message, which must be text, and decodes it into v, a
// pointer as for json.Unmarshal. A message that does not decode fails the test.
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

// WantText waits for the next message, which must be the text want.
func (c *Client) WantText(want string) {
	c.t.Helper()
	if m := c.Message(); m.Kind != protocol.KindText || m.Text() != want {
		c.t.Fatalf("consumertest: got the %v message %q, want the text %q", m.Kind, m.Data, want)
	}
}

// WantJSON waits for the next message, which must be text that decodes to what
// want encodes to.
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

// WantClose waits until the server closes, with no message before, and returns
// how. code is what it must close with.
func (c *Client) WantClose(code protocol.CloseCode) protocol.CloseStatus {
	c.t.Helper()
	m, closed := c.await()
	if closed == nil {
		c.t.Fatalf("consumertest: got the %v message %q, want a close with %v", m.Kind, m.Data, code)
	}
	if closed.Code != code {
		c.t.Fatalf("consumertest: closed with %v %q (%v), want %v", closed.Code, closed.Reason, closed.Err, code)
	}
	return *closed
}

// WantNothing fails if a message or a close has come, or comes before everything
// in the bubble waits for something. It needs a bubble of testing/synctest:
// without one there is no telling when nothing more will come.
func (c *Client) WantNothing() {
	c.t.Helper()
	c.settle()
	switch m, ok, closed, _ := c.transport.next(); {
	case ok:
		c.t.Fatalf("consumertest: got the %v message %q, want nothing", m.Kind, m.Data)
	case closed != nil:
		c.t.Fatalf("consumertest: the server closed with %v %q (%v), want nothing", closed.Code, closed.Reason, closed.Err)
	}
}

func (c *Client) settle() {
	c.t.Helper()
	defer func() {
		if recover() != nil {
			c.t.Fatal("consumertest: WantNothing works only inside synctest.Test(t, func(t *testing.T) { ... })")
		}
	}()
	synctest.Wait()
}

// WantOver waits until the connection is over on the server's side: Disconnect
// has returned and the groups are left.
func (c *Client) WantOver() {
	c.t.Helper()
	if !c.isOver(c.patience) {
		c.t.Fatalf("consumertest: the connection is not over after %v; is a callback blocked?", c.patience)
	}
}

// await waits for a message or a close.
func (c *Client) await() (protocol.Message, *protocol.CloseStatus) {
	c.t.Helper()
	late := time.NewTimer(c.patience)
	defer late.Stop()
	for {
		m, ok, closed, drained := c.transport.next()
		if drained {
			c.session.Drained()
		}
		if ok || closed != nil {
			return m, closed
		}
		select {
		case <-c.transport.moved:
		case <-late.C:
			c.t.Fatalf("consumertest: nothing came within %v; is a callback blocked, or the client in no group?", c.patience)
		}
	}
}

// cleanup ends the connection with the test, and waits for Disconnect.
func (c *Client) cleanup() {
	c.t.Helper()
	c.Close(protocol.CloseGoingAway, "")
	if c.isOver(disconnectTime) {
		return
	}
	c.session.Ended(protocol.CloseStatus{Code: protocol.CloseGoingAway, Remote: true}) // what the client has said is stuck
	if !c.isOver(2 * disconnectTime) {
		c.t.Errorf("consumertest: a callback or Disconnect still runs %v after the end of the connection", 3*disconnectTime)
	}
}

// isOver reports whether the connection is over within d.
func (c *Client) isOver(d time.Duration) bool {
	late := time.NewTimer(d)
	defer late.Stop()
	select {
	case <-c.over:
		return true
	case <-late.C:
		return false
	}
}

// disconnectTime is how long a session lets Disconnect run.
const disconnectTime = 10 * time.Second
