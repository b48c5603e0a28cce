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

// price is what the peer gets, and what travels through the layer.
type price struct {
	Item  string `json:"item"`
	Price string `json:"price"`
	For   string `json:"for,omitempty"`
}

var (
	changed   = consumer.EventType[price]{Name: "item.changed"}
	loggedOut = consumer.EventType[struct{}]{Name: "session.over"}
)

// itemGroup is the group of those who look at an item, whatever its name is.
func itemGroup(item string) string { return layers.GroupName("item", item) }

// sessionGroup is the group of the sockets of a session. Its token is a secret, and
// names of groups are in logs: hence the hash.
func sessionGroup(token string) string {
	sum := sha256.Sum256([]byte(token))
	return layers.GroupName("session", hex.EncodeToString(sum[:]))
}

// announce tells everybody who looks at an item. Plain HTTP handlers call it.
func announce(ctx context.Context, item, now string) error {
	return layers.Default().GroupSend(ctx, itemGroup(item), changed.New(price{Item: item, Price: now}))
}

// hangUp closes the sockets of a session that is over. Plain HTTP handlers call
// it: a socket is let in by a session, but does not look at it again.
func hangUp(ctx context.Context, token string) {
	if err := layers.Default().GroupSend(ctx, sessionGroup(token), loggedOut.New(struct{}{})); err != nil {
		log.Print(err)
	}
}

// viewer is one open socket.
type viewer struct {
	consumer.Base
	shop *shop
	item string
	name string
}

// viewers is the application at an item's URL: it tells the price, now and
// whenever it changes.
func viewers(s *shop) consumer.Application {
	return consumer.New(func(scope *consumer.Scope) *viewer {
		return &viewer{shop: s, item: scope.Param("item")} // the {item} of chi's pattern
	}, consumer.On(changed, (*viewer).changed), consumer.On(loggedOut, (*viewer).loggedOut))
}

// Connect sees the session, in ctx as any handler does; later callbacks do not,
// because the request is gone by then.
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

var errOver = consumer.NewCloseError(consumer.CloseUnauthorized, "the session is over")

// endWithSession closes c when the session ends, by a logout or by its time.
func (v *viewer) endWithSession(ctx context.Context, c *consumer.Conn) error {
	sessions := v.shop.sessions
	token := sessions.Token(ctx)
	if err := c.Join(ctx, sessionGroup(token)); err != nil {
		return err
	}
	// Who has logged out while this request was under way was not in the group yet.
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

// tellTime does so every second. It is a socket in the function form.
func tellTime(ctx context.Context, s *consumer.Stream) error {
	s.Discard() // what the peer says
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

// sockets are what http.Server does not know of.
type sockets []*websocket.Server

// shutdown closes all of them with 1001, and returns when they are gone.
func (s sockets) shutdown(ctx context.Context) error {
	errs := make([]error, len(s))
	var all sync.WaitGroup
	for i, server := range s {
		all.Go(func() { errs[i] = server.Shutdown(ctx) })
	}
	all.Wait()
	return errors.Join(errs...)
}
