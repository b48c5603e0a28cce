package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log"
	"net/http"
	"sync"
	"time"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/protocol/websocket"
)

// price is the payload of changed and the JSON for the peer.
type price struct {
	Item  string `json:"item"`
	Price string `json:"price"`
	For   string `json:"for,omitempty"`
}

var (
	changed   = consumer.EventType[price]{Name: "item.changed"}
	loggedOut = consumer.EventType[struct{}]{Name: "session.over"}
)

// itemGroup returns the group of the viewers of an item. The item may have any name.
func itemGroup(item string) string { return layers.GroupName("item", item) }

// sessionGroup returns the group of the connections of a session. It hashes the token,
// which is a secret, because names of groups appear in logs.
func sessionGroup(token string) string {
	sum := sha256.Sum256([]byte(token))
	return layers.GroupName("session", hex.EncodeToString(sum[:]))
}

// announce sends a price to the viewers of an item. Plain HTTP handlers call it.
func announce(ctx context.Context, item, now string) error {
	return layers.Default().GroupSend(ctx, itemGroup(item), changed.New(price{Item: item, Price: now}))
}

// hangUp closes the connections of a session that has ended. Plain HTTP handlers call
// it: an open connection does not check its session again.
func hangUp(ctx context.Context, token string) {
	if err := layers.Default().GroupSend(ctx, sessionGroup(token), loggedOut.New(struct{}{})); err != nil {
		log.Print(err)
	}
}

// viewer is the consumer of one connection.
type viewer struct {
	consumer.Base
	shop *shop
	item string
	name string
}

// viewers returns the application at an item's URL. It sends the price when a peer
// connects, and each time it changes.
func viewers(s *shop) consumer.Application {
	return consumer.New(func(scope *consumer.Scope) *viewer {
		return &viewer{shop: s, item: scope.Param("item")} // the {item} of chi's pattern
	}, consumer.On(changed, (*viewer).changed), consumer.On(loggedOut, (*viewer).loggedOut))
}

// Connect reads the session from ctx as any HTTP handler does. Later callbacks cannot:
// the request has ended by then.
func (v *viewer) Connect(ctx context.Context, c *consumer.Conn) error {
	v.name = v.shop.user(ctx)
	if err := c.Join(ctx, itemGroup(v.item)); err != nil {
		return err
	}
	if err := v.endWithSession(ctx, c); err != nil {
		return err
	}
	return v.changed(ctx, c, price{Item: v.item, Price: v.shop.price(v.item)})
}

var errOver = consumer.NewCloseError(consumer.CloseUnauthorized, "the session has ended")

// endWithSession closes c when the session ends: at a logout or at its deadline.
func (v *viewer) endWithSession(ctx context.Context, c *consumer.Conn) error {
	sessions := v.shop.sessions
	token := sessions.Token(ctx)
	if err := c.Join(ctx, sessionGroup(token)); err != nil {
		return err
	}
	// A logout during this request came before the Join, so the session is checked
	// again.
	now, err := sessions.Load(context.Background(), token)
	if err != nil {
		return err
	}
	if v.shop.user(now) == "" {
		return consumer.NewRejectError(http.StatusUnauthorized, "log in first")
	}
	timer := time.AfterFunc(time.Until(sessions.Deadline(ctx)), func() { c.CloseWith(errOver) })
	c.Defer(func() { timer.Stop() })
	return nil
}

func (v *viewer) changed(ctx context.Context, c *consumer.Conn, p price) error {
	p.For = v.name
	return c.SendJSON(ctx, p)
}

func (v *viewer) loggedOut(context.Context, *consumer.Conn, struct{}) error { return errOver }

// tellTime sends the time every second. It is a consumer in the form of a function.
func tellTime(ctx context.Context, s *consumer.Stream) error {
	s.Discard() // messages of the peer
	every := time.NewTicker(time.Second)
	defer every.Stop()
	for now := time.Now(); ; {
		if err := s.SendText(ctx, now.Format(time.TimeOnly)); err != nil {
			return err
		}
		select {
		case now = <-every.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// sockets are the servers whose connections http.Server does not know.
type sockets []*websocket.Server

// shutdown closes all connections with 1001, and returns when they have closed.
func (s sockets) shutdown(ctx context.Context) error {
	errs := make([]error, len(s))
	var all sync.WaitGroup
	for i, server := range s {
		all.Go(func() { errs[i] = server.Shutdown(ctx) })
	}
	all.Wait()
	return errors.Join(errs...)
}
