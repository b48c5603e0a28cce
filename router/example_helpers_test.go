package router_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket/websockettest"
)

// greet returns an application that sends the name of the group and closes.
func greet() protocol.Application {
	return consumer.Func(func(ctx context.Context, s *consumer.Stream) error {
		return s.SendText(ctx, "welcome to "+s.Scope().Param("group"))
	})
}

// news returns an application that sends a text and closes.
func news() protocol.Application {
	return consumer.Func(func(ctx context.Context, s *consumer.Stream) error {
		return s.SendText(ctx, "here is the news")
	})
}

// connect opens a connection for path without a network, and returns the first message that
// the client gets, or the refusal.
func connect(app protocol.Application, path string) string {
	return connectRequest(app, httptest.NewRequestWithContext(context.Background(), http.MethodGet, path, nil))
}

// connectRequest is connect for a request.
func connectRequest(app protocol.Application, r *http.Request) string {
	first := make(firstMessage, 1)
	s := protocol.NewSession(context.Background(), app, protocol.NewScope("websocket", r), &metered{firstMessage: first}, nil)
	closed := make(chan struct{})
	s.Conn().Defer(func() { close(closed) })
	s.Open()
	<-closed
	return <-first
}

// firstMessage is a transport that keeps the first message, or the refusal.
type firstMessage chan string

func (w firstMessage) Accept(protocol.AcceptOptions) error     { return nil }
func (w firstMessage) Reject(e *protocol.RejectError)          { w <- fmt.Sprintf("%d: %s", e.Status, e.Body) }
func (w firstMessage) Send(m protocol.Message) error           { w <- m.Text(); return nil }
func (w firstMessage) SendPrepared(p *protocol.Prepared) error { return w.Send(p.Message()) }
func (w firstMessage) Close(protocol.CloseStatus)              {}

// metered is a firstMessage that is a protocol.Meter.
type metered struct {
	firstMessage

	messages, bytes atomic.Int64
}

func (m *metered) Sent() (messages, bytes int64) { return m.messages.Load(), m.bytes.Load() }

func (m *metered) Send(msg protocol.Message) error {
	m.messages.Add(1)
	m.bytes.Add(int64(len(msg.Data)))
	return m.firstMessage.Send(msg)
}

func (m *metered) SendPrepared(p *protocol.Prepared) error { return m.Send(p.Message()) }

// get returns the body of the answer to a plain HTTP request.
func get(url string) string {
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Get(url)
	if err != nil {
		return err.Error()
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// dialed returns the first message of a WebSocket server, or why there is none.
func dialed(url string) (text string) {
	failures, _ := testkit.Try(context.Background(), func(t *testkit.Fake) { text = websockettest.Dial(t, url, nil).Text() })
	return text + failures
}
