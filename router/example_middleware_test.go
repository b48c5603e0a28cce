package router_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/router"
)

// One route accepts large messages. The others have the limit of the server.
func ExampleLimit() {
	upload := consumer.ReceiveFunc(func(ctx context.Context, c *consumer.Conn, m consumer.Message) error {
		return c.SendText(ctx, fmt.Sprint(len(m.Data), " bytes, thank you"))
	})
	urls := router.NewURLRouter(
		router.Path("ws/upload/", router.Use(upload, router.Limit(protocol.Limits{MaxMessage: 64 << 20}))),
		router.Path("ws/<slug:group>/", greet()),
	)

	// In a program: websocket.New(urls, &websocket.Options{Limits: protocol.Limits{MaxMessage: 4 << 10}})
	fmt.Println(connect(urls, "/ws/lobby/"))
	// Output: welcome to lobby
}

// The server reads ten messages a second from each peer, in bursts of at most forty; it
// reads further messages later. On the route of a device the rate is one a second, and a
// peer that sends faster is closed.
func ExampleLimit_rate() {
	report := consumer.ReceiveFunc(func(ctx context.Context, c *consumer.Conn, m consumer.Message) error {
		return c.SendText(ctx, "noted: "+m.Text())
	})
	urls := router.NewURLRouter(
		router.Path("ws/device/", router.Use(report, router.Limit(protocol.Limits{
			Rate: protocol.Rate{Messages: 1, Close: true},
		}))),
		router.Path("ws/<slug:group>/", greet()),
	)

	// In a program: websocket.New(urls, &websocket.Options{Limits: protocol.Limits{
	//	Rate: protocol.Rate{Messages: 10, MessageBurst: 40},
	// }})
	fmt.Println(connect(urls, "/ws/lobby/"))
	// Output: welcome to lobby
}

// The callbacks of one route wait for a database; those of another never wait for anything.
func ExampleBlocking() {
	search := consumer.ReceiveFunc(func(ctx context.Context, c *consumer.Conn, m consumer.Message) error {
		found, err := query(ctx, m.Text()) // may take long
		if err != nil {
			return err
		}
		return c.SendText(ctx, found)
	})
	echo := consumer.ReceiveFunc(func(ctx context.Context, c *consumer.Conn, m consumer.Message) error {
		return c.Send(ctx, m)
	})
	urls := router.NewURLRouter(
		router.Path("ws/search/", router.Use(search, router.Blocking)),
		router.Path("ws/echo/", router.Use(echo, router.Inline)),
		router.Path("ws/<slug:group>/", greet()), // nothing is declared: the server learns it
	)

	fmt.Println(connect(urls, "/ws/lobby/"))
	// Output: welcome to lobby
}

// A route that is expensive to serve has at most one connection at a time.
func ExampleMaxConns() {
	var urls *router.URLRouter
	report := consumer.Func(func(ctx context.Context, s *consumer.Stream) error {
		return s.SendText(ctx, "while this connection is open, another one gets "+connect(urls, "/ws/report/"))
	})
	urls = router.NewURLRouter(
		router.Path("ws/report/", router.Use(report, router.MaxConns(1))),
	)

	fmt.Println(connect(urls, "/ws/report/"))
	// Output: while this connection is open, another one gets 503: there are too many connections here
}

// Each connection has a line when it opens and one when it closes, or one when it is
// refused.
func ExampleLog() {
	l := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: stable}))
	urls := router.Use(router.NewURLRouter(
		router.Path("ws/<slug:group>/", greet()),
	), router.Log(l))

	connect(urls, "/ws/lobby/?token=secret")
	connect(urls, "/nowhere/")
	// Output:
	// level=INFO msg="wye: connection opened" protocol=websocket route=ws/<slug:group>/ path=/ws/lobby/ peer=192.0.2.1:1234
	// level=INFO msg="wye: connection closed" protocol=websocket route=ws/<slug:group>/ path=/ws/lobby/ peer=192.0.2.1:1234 code=1000 reason="" by_peer=false messages_in=0 bytes_in=0 messages_out=1 bytes_out=16
	// level=INFO msg="wye: connection refused" protocol=websocket route="" path=/nowhere/ peer=192.0.2.1:1234 status=404
}

// query is a program's query of its database.
func query(ctx context.Context, words string) (found string, err error) {
	return "nothing like " + words, ctx.Err()
}

// stable removes attributes that differ from run to run.
func stable(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey || a.Key == "duration" {
		return slog.Attr{}
	}
	return a
}
