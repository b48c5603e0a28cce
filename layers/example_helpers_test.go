package layers_test

import (
	"context"
	"fmt"
	"io"
	"testing"

	"github.com/wye-go/wye/consumer/consumertest"
	"github.com/wye-go/wye/protocol"
)

// exampleTB is what consumertest needs of a test, where there is none.
type exampleTB struct{ testing.TB }

func (exampleTB) Helper()                  {}
func (exampleTB) Cleanup(func())           {}
func (exampleTB) Context() context.Context { return context.Background() }
func (exampleTB) Output() io.Writer        { return io.Discard }

func (exampleTB) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

// connect opens a connection to app, which a program would serve with
// websocket.Handler(app).
func connect(app protocol.Application) *consumertest.Client {
	return consumertest.Connect(exampleTB{}, app, "/", nil)
}

// hangUp closes connections.
func hangUp(clients ...*consumertest.Client) {
	for _, c := range clients {
		c.Close(protocol.CloseNormal, "")
		c.WantOver()
	}
}
