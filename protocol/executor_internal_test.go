package protocol

import (
	"context"
	"net/http"
	"net/url"
	"testing"
)

// echo is a handler and a transport that take everything.
type echo struct{ sent int }

func (e *echo) Connect(context.Context, *Conn) error                  { return nil }
func (e *echo) Receive(ctx context.Context, c *Conn, m Message) error { return c.Send(ctx, m) }
func (e *echo) Event(context.Context, *Conn, *Event) error            { return nil }
func (e *echo) Disconnect(context.Context, *Conn, CloseStatus)        {}
func (e *echo) Accept(AcceptOptions) error                            { return nil }
func (e *echo) Reject(*RejectError)                                   {}
func (e *echo) Send(Message) error                                    { e.sent++; return nil }
func (e *echo) SendPrepared(*Prepared) error                          { e.sent++; return nil }
func (e *echo) Close(CloseStatus)                                     {}
func (e *echo) Open(*Scope) (Handler, error)                          { return e, nil }

// TestEchoTakesNoLock: a message that finds its connection idle, and its answer, take no
// lock of the session. It would be a deadlock here.
func TestEchoTakesNoLock(t *testing.T) {
	t.Parallel()
	e := &echo{}
	s := NewSession(context.Background(), e, NewScope("websocket", &http.Request{URL: &url.URL{Path: "/"}}), e, nil)
	if !s.Open() {
		t.Fatal("refused")
	}
	s.mu.Lock()
	s.Receive(Text("one"))
	s.Receive(Text("two"))
	if err := s.conn.Offer(Prepare(Text("shared"))); err != nil {
		t.Error(err)
	}
	s.mu.Unlock()
	if got := s.traffic(); e.sent != 3 || got.MessagesIn != 2 || got.BytesIn != 6 {
		t.Errorf("%d were sent, and counted %+v", e.sent, got)
	}
	s.Ended(CloseStatus{Code: CloseAbnormal})
}
