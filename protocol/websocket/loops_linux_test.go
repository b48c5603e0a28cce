package websocket_test

import (
	"context"
	"testing"

	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket"
	"github.com/wye-go/wye/protocol/websocket/websockettest"
)

// TestStatsOfLoops counts the connections that loops run, and the callbacks that they have
// left behind.
func TestStatsOfLoops(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	app := &fakes.Handler{OnReceive: func(ctx context.Context, c *protocol.Conn, m protocol.Message) error {
		<-release
		return c.Send(ctx, m)
	}}
	for _, row := range []struct {
		engine websocket.Engine
		want   int64
	}{{websocket.EngineLoop, 1}, {websocket.EngineGoroutine, 0}} {
		s := serve(t, app, &websocket.Options{Engine: row.engine})
		p := s.open(t)
		p.Send(websockettest.Text("blocks"))
		p.SendBytes(frame(finPing, "is answered"))
		p.Want(websockettest.Pong("is answered"))
		got := s.Server.Stats().Loops
		if got.OnLoops != row.want || got.LeftBehind < row.want {
			t.Errorf("%v: %+v, want %d each", row.engine, got, row.want)
		}
		release <- struct{}{}
		p.Want(websockettest.Text("blocks"))
	}
}
