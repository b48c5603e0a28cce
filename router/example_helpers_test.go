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

// greet is an application that says to which room one has come.
func greet() protocol.Application {
	return consumer.Func(func(ctx context.Context, s *consumer.Stream) error {
		return s.SendText(ctx, "welcome to "+s.Scope().Param("group"))
	})
}

// news is an application that has something to say.
func news() protocol.Application {
	return consumer.Func(func(ctx context.Context, s *consumer.Stream) error {
		return s.SendText(ctx, "here is the news")
	})
}

// opened is what a client is told that opens a connection to path: the first
// message, or the refusal.
func opened(app protocol.Application, path string) string {
	told := make(firstWord, 1)
	r := httptest.NewRequestWithContext(context.Background(), http.MethodGet, path, nil)
	s := protocol.NewSession(context.Background(), app, protocol.NewScope("websocket", r), &metered{firstWord: told}, nil)
	over := make(chan struct{})
	s.Conn().Defer(func() { close(over) })
	s.Open()
	<-over
	return <-told
}

// firstWord is a transport to a client that listens to the first message.
type firstWord chan string

func (w firstWord) Accept(protocol.AcceptOptions) error     { return nil }
func (w firstWord) Reject(e *protocol.RejectError)          { w <- fmt.Sprintf("%d: %s", e.Status, e.Body) }
func (w firstWord) Send(m protocol.Message) error           { w <- m.Text(); return nil }
func (w firstWord) SendPrepared(p *protocol.Prepared) error { return w.Send(p.Message()) }
func (w firstWord) Close(protocol.CloseStatus)              {}

// metered is a firstWord that counts.
type metered struct {
	firstWord

	messages, bytes atomic.Int64
}

func (m *metered) Sent() (messages, bytes int64) { return m.messages.Load(), m.bytes.Load() }

func (m *metered) Send(msg protocol.Message) error {
	m.messages.Add(1)
	m.bytes.Add(int64(len(msg.Data)))
	return m.firstWord.Send(msg)
}

func (m *metered) SendPrepared(p *protocol.Prepared) error { return m.Send(p.Message()) }

// get is the body of the answer to a plain request.
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
