package websocket_test

import (
	"testing"

	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket/websockettest"
	"github.com/wye-go/wye/router"
)

// TestAnswerBeforeClose has a peer say something and close, in one write: it gets the
// answer, and then the close.
func TestAnswerBeforeClose(t *testing.T) {
	t.Parallel()
	apps := map[string]protocol.Middleware{"unknown": nil, "blocks": router.Blocking, "never blocks": router.Inline}
	onSockets(t, func(t *testing.T, via carrier) {
		for name, declare := range apps {
			var app protocol.Application = fakes.Echo()
			if declare != nil {
				app = router.Use(app, declare)
			}
			p := serveOver(t, via, app, nil).open(t)
			p.SendBytes(frame(finText, "hello"), closing(1000, ""))
			if got := p.Next(); got != websockettest.Text("hello") {
				t.Errorf("%s: got %v, want the answer", name, got)
				continue
			}
			p.WantClose(1000)
		}
	})
}
