package router_test

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/router"
)

// Order is work for the channel "orders".
var Order = protocol.EventType[map[string]string]{Name: "order"}

// Kitchen is a consumer that handles orders.
type Kitchen struct {
	consumer.Base
	close func()
}

func (k *Kitchen) cook(_ context.Context, _ *consumer.Conn, order map[string]string) error {
	fmt.Println("cooking", order["dish"])
	k.close()
	return nil
}

// Run runs a worker beside the server, and ends it after the connections.
func ExampleProtocolTypeRouter_Background() {
	ctx, stop := context.WithCancel(context.Background()) // or signal.NotifyContext
	defer stop()
	layer := new(layers.Layer)
	r := router.New(nil) // and the protocols
	r.Background(&layers.Worker{Puller: layer, App: router.NewChannelNameRouter(map[string]protocol.Application{
		"orders": consumer.New(func(*consumer.Scope) *Kitchen { return &Kitchen{close: stop} }, consumer.On(Order, (*Kitchen).cook)),
	})})
	if err := layer.Send(ctx, "orders", Order.New(map[string]string{"dish": "soup"})); err != nil {
		fmt.Println(err)
	}
	fmt.Println(router.Run(ctx, &http.Server{Addr: "127.0.0.1:0", ReadHeaderTimeout: time.Minute}, r, 10*time.Second))
	// Output:
	// cooking soup
	// <nil>
}
