package websockettest_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket"
	"github.com/wye-go/wye/protocol/websocket/websockettest"
)

// T stands in for a *testing.T, which an example does not have.
type T = testkit.Fake

// result returns the failures of a test in an example.
func result(test func(t *T)) string {
	failures, _ := testkit.Try(context.Background(), test)
	return failures
}

// A test of an echo, and what it says when it fails.
func ExampleDial() {
	echo := websocket.Handler(consumer.ReceiveFunc(func(ctx context.Context, c *consumer.Conn, m consumer.Message) error {
		return c.Send(ctx, m)
	}))
	testEcho := func(t *T) {
		server := httptest.NewServer(echo)
		defer server.Close()
		ann := websockettest.Dial(t, server.URL+"/echo", http.Header{"Origin": {server.URL}})
		ann.SendText("hello")
		ann.WantText("hello")
		ann.Send(websockettest.Ping("?"))
		ann.Want(websockettest.Pong("!"))
	}

	fmt.Println(result(testEcho))
	// Output: websockettest: got pong "?", want pong "!"
}

// A peer that breaks the rules, without a network.
func ExampleServe() {
	echo := websocket.Handler(consumer.ReceiveFunc(func(ctx context.Context, c *consumer.Conn, m consumer.Message) error {
		return c.Send(ctx, m)
	}))
	testBroken := func(t *T) {
		l := websockettest.Serve(t, &http.Server{Handler: echo})
		ann := websockettest.New(t, l.Dial())
		refused := ann.Handshake(websockettest.Request("/echo", "Sec-WebSocket-Version: 8"))
		fmt.Println(refused.Status, refused.Header.Get("Sec-Websocket-Version"))

		bob := websockettest.New(t, l.Dial())
		bob.Upgrade(websockettest.Request("/echo"))
		bob.Send(
			websockettest.Frame{First: websockettest.OpText, Payload: "hel"},
			websockettest.Frame{First: websockettest.FIN | websockettest.OpContinuation, Payload: "lo"},
		)
		bob.WantText("hello")
		bob.SendBytes(websockettest.Text("not masked").Unmasked())
		bob.WantClose(protocol.CloseProtocolError)
	}

	fmt.Print(result(testBroken))
	// Output: 426 13
}
