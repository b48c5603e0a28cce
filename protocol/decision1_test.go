package protocol_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/wye-go/wye/protocol"
)

// TestDecision1_AnOpenConnectionRunsNothing: an application decides who serves a
// connection and has then returned, so that a connection which is open and idle
// costs no goroutine. The bubble ends with a panic if one is left in it.
func TestDecision1_AnOpenConnectionRunsNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		inside := 0
		app := protocol.ApplicationFunc(func(*protocol.Scope) (protocol.Handler, error) {
			inside++
			defer func() { inside-- }()
			return &calls{connect: func(ctx context.Context, c *protocol.Conn) error {
				return c.Send(ctx, text("welcome"))
			}}, nil
		})
		for range 100 {
			r := newRig(app, protocol.Limits{})
			if !r.Open() {
				t.Fatal("refused")
			}
			if inside != 0 {
				t.Fatal("Open of the application still runs")
			}
			r.Receive(text("a message does not change that"))
		}
	})
}
