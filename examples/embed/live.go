package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket"
)

// price is what the peer gets, and what travels through the layer.
type price struct {
	Item  string `json:"item"`
	Price string `json:"price"`
	For   string `json:"for,omitempty"`
}

var changed = protocol.EventType[price]{Name: "item.changed"}

// group is the group of those who look at an item. The names of groups are ASCII
// and short, those of items are not: hence the hash.
func group(item string) string {
	sum := sha256.Sum256([]byte(item))
	return "item." + hex.EncodeToString(sum[:])
}

// announce tells everybody who looks at an item. Plain HTTP handlers call it.
func announce(ctx context.Context, item, now string) error {
	return layers.Default().GroupSend(ctx, group(item), changed.New(price{Item: item, Price: now}))
}

// viewer is one open socket.
type viewer struct {
	consumer.Base
	shop *shop
	item string
	name string
}

// newLive returns the new socket, which tells the price of an item, now and
// whenever it changes.
func newLive(s *shop) *websocket.Server {
	return websocket.Handler(consumer.New(func(scope *consumer.Scope) *viewer {
		return &viewer{shop: s, item: scope.Param("item")} // the {item} of the mux's pattern
	}, consumer.On(changed, (*viewer).changed)))
}

// Connect sees what the login middleware found out; later callbacks do not,
// because the request is gone by then.
func (v *viewer) Connect(ctx context.Context, c *consumer.Conn) error {
	v.name = userOf(ctx)
	if err := c.Join(ctx, group(v.item)); err != nil {
		return err
	}
	return v.changed(ctx, c, price{Item: v.item, Price: v.shop.price(v.item)})
}

func (v *viewer) changed(ctx context.Context, c *consumer.Conn, p price) error {
	p.For = v.name
	return c.SendJSON(ctx, p)
}
