package consumer_test

import (
	"context"
	"fmt"
	"io"
	"testing"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/consumer/consumertest"
)

// exampleTB is the testing.TB of the Examples. A program passes its *testing.T.
type exampleTB struct{ testing.TB }

func (exampleTB) Helper()                  {}
func (exampleTB) Cleanup(func())           {}
func (exampleTB) Context() context.Context { return context.Background() }
func (exampleTB) Output() io.Writer        { return io.Discard }

func (exampleTB) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

// connect opens a connection to app. A program serves app with websocket.Handler(app).
func connect(app consumer.Application, target string) *consumertest.Client {
	return consumertest.Connect(exampleTB{}, app, target, nil)
}

// hangUp closes connections, and waits until they are over.
func hangUp(clients ...*consumertest.Client) {
	for _, c := range clients {
		c.Close(consumer.CloseNormal, "")
		c.WantOver()
	}
}
