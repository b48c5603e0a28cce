package protocol_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/protocol"
)

// secret is in every error that a peer must never see, and errInternal is one.
const secret = "the database password is hunter2"

var errInternal = errors.New(secret)

// wire is a transport that writes down what it is told. Its hooks, where set,
// are asked first, outside of its lock.
type wire struct {
	accept func() error
	send   func(m protocol.Message) error // also for prepared ones

	mu struct {
		sync.Mutex
		accepted []protocol.AcceptOptions
		rejected []*protocol.RejectError
		closed   []protocol.CloseStatus
		sent     []string // payloads, copied
	}
}

func (w *wire) Accept(o protocol.AcceptOptions) error {
	w.mu.Lock()
	w.mu.accepted = append(w.mu.accepted, o)
	w.mu.Unlock()
	if w.accept == nil {
		return nil
	}
	return w.accept()
}

func (w *wire) Reject(e *protocol.RejectError) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mu.rejected = append(w.mu.rejected, e)
}

func (w *wire) Send(m protocol.Message) error {
	if w.send != nil {
		if err := w.send(m); err != nil {
			return err
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mu.sent = append(w.mu.sent, m.Text())
	return nil
}

func (w *wire) SendPrepared(p *protocol.Prepared) error { return w.Send(p.Message()) }

func (w *wire) Close(s protocol.CloseStatus) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mu.closed = append(w.mu.closed, s)
}

// answers is how often the handshake was answered with yes and with no.
func (w *wire) answers() (yes, no int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.mu.accepted), len(w.mu.rejected)
}

// rejection is the answer no, of which there must be exactly one.
func (w *wire) rejection(t *testing.T) *protocol.RejectError {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.mu.rejected) != 1 {
		t.Fatalf("the transport was told %d times to reject, want once", len(w.mu.rejected))
	}
	return w.mu.rejected[0]
}

// closing is the close that the transport was told to send, of which there must
// be exactly one.
func (w *wire) closing(t *testing.T) protocol.CloseStatus {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.mu.closed) != 1 {
		t.Fatalf("the transport was told %d times to close, want once: %v", len(w.mu.closed), w.mu.closed)
	}
	return w.mu.closed[0]
}

func (w *wire) closes() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.mu.closed)
}

// sent is what went out, joined by spaces.
func (w *wire) sent() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Join(w.mu.sent, " ")
}

// logs is a slog.Handler that keeps the records.
type logs struct {
	mu struct {
		sync.Mutex
		lines []line
	}
}

// line is a log record: its message, and its attributes as text.
type line struct {
	text  string
	attrs map[string]string
}

func (l *logs) Enabled(context.Context, slog.Level) bool { return true }
func (l *logs) WithAttrs([]slog.Attr) slog.Handler       { return l }
func (l *logs) WithGroup(string) slog.Handler            { return l }

//nolint:gocritic // the signature is slog's
func (l *logs) Handle(_ context.Context, r slog.Record) error {
	at := map[string]string{}
	r.Attrs(func(a slog.Attr) bool {
		at[a.Key] = a.Value.Resolve().String()
		return true
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.lines = append(l.mu.lines, line{r.Message, at})
	return nil
}

// having returns the lines that have the attribute.
func (l *logs) having(attr string) (found []line) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, line := range l.mu.lines {
		if _, ok := line.attrs[attr]; ok {
			found = append(found, line)
		}
	}
	return found
}

func (l *logs) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.mu.lines)
}

// rig is one connection, with all that surrounds it within the test's reach.
type rig struct {
	*protocol.Session
	wire     *wire
	logs     *logs
	counters *protocol.Counters
	scope    *protocol.Scope
	over     chan struct{} // closed when the last deferred function has run
}

// newRig prepares a connection of app, not opened yet.
func newRig(app protocol.Application, limits protocol.Limits) *rig {
	return newRigOn(&wire{}, app, limits)
}

func newRigOn(w *wire, app protocol.Application, limits protocol.Limits) *rig {
	return rigFor(w, w, app, limits)
}

// rigFor is for transports that wrap a wire.
func rigFor(t protocol.Transport, w *wire, app protocol.Application, limits protocol.Limits) *rig {
	r := &rig{wire: w, logs: &logs{}, counters: &protocol.Counters{}, over: make(chan struct{})}
	r.scope = protocol.NewScope("websocket", request()).WithSubprotocols([]string{"chat.v1", "chat.v2"})
	r.Session = protocol.NewSession(context.Background(), app, r.scope, t, &protocol.SessionOptions{
		Limits: limits, Logger: slog.New(r.logs), Counters: r.counters,
	})
	r.Conn().Defer(func() { close(r.over) }) // given first, runs last
	return r
}

func request() *http.Request { return httptest.NewRequest(http.MethodGet, "/ws/?a=1&b=2", http.NoBody) }

// open opens a connection of h, and fails the test if it is refused.
func open(t *testing.T, h *fakes.Handler, limits protocol.Limits) *rig {
	t.Helper()
	return openOn(t, &wire{}, h, limits)
}

func openOn(t *testing.T, w *wire, h *fakes.Handler, limits protocol.Limits) *rig {
	t.Helper()
	r := newRigOn(w, h, limits)
	if !r.Open() {
		t.Fatalf("the connection was refused with %v", r.wire.rejection(t))
	}
	return r
}

// vanish breaks the connection, as a cable that is pulled does, and waits until
// it is over.
func (r *rig) vanish() {
	r.Ended(protocol.CloseStatus{Code: protocol.CloseAbnormal})
	<-r.over
}

func text(s string) protocol.Message { return protocol.Text(s) }
