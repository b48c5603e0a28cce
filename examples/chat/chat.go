package main

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"time"

	"golang.org/x/time/rate"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket"
	"github.com/wye-go/wye/router"
)

// chat is the whole program behind its address.
type chat struct {
	store  *store
	people *people
	rooms  *rooms
	layer  *layers.Layer

	proxies  proxies
	unnamed  rate.Sometimes // tells the operator of a proxy that is not named
	troubles rate.Sometimes // tells the operator of the database: once, and not for everybody who tries
	log      *slog.Logger
}

// newChat opens the database in a file. trusted are the proxies in front.
func newChat(ctx context.Context, file string, trusted ...netip.Prefix) (c *chat, err error) {
	c = &chat{rooms: newRooms(), layer: new(layers.Layer), proxies: trusted, log: slog.Default()}
	c.unnamed.First = 1
	c.troubles.Interval = 10 * time.Second
	if c.store, err = openStore(ctx, file, c.tell); err != nil {
		return nil, err
	}
	if c.people, err = newPeople(ctx, c.store, c.rooms, c.proxies); err != nil {
		return nil, errors.Join(err, c.store.Close())
	}
	return c, nil
}

// Close closes the database. The connections are closed by then.
func (c *chat) Close() error { return c.store.Close() }

// router sends plain requests to the page, and sockets to the rooms.
func (c *chat) router() *router.ProtocolTypeRouter {
	return router.New(c.page(), websocket.New(c.urls(), &websocket.Options{
		Subprotocols:   []string{subprotocol},
		TrustedProxies: c.proxies,
		Limits:         limits,
	}))
}

// limits are those of each connection. A message of 2000 characters has 24 KB at the
// most, as JSON with escapes. What waits for a client is a few pages. The rate is
// twice what a person may ask for, who is put out for more: it is for what comes before
// somebody looks at it.
var limits = protocol.Limits{
	MaxMessage: 32 << 10,
	QueueBytes: 1 << 20,
	Rate:       protocol.Rate{Messages: 40, MessageBurst: 200},
}

// urls are the rooms. The group of a room has its name.
func (c *chat) urls() consumer.Application {
	return router.Use(router.NewURLRouter(
		router.RePath(`^ws/(?P<group>`+groups+`)/$`, c.members()),
	), router.Auth(c.people.whoConnects), layers.Middleware(c.layer))
}

// groups are the names of rooms.
const groups = `[\w-]{1,99}`

// tell sends what has been stored to the room. The store calls it for one message
// after the other, so that they come in the order of their places.
func (c *chat) tell(room string, m Message) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := c.layer.GroupSend(ctx, room, Said.New(m)); err != nil {
		c.log.Error("chat: a message is stored and was not sent to everybody", "room", room, "seq", m.Seq, "err", err)
	}
}

// sorry says that the database does not work: to the operator why, to the person
// to try again.
func (c *chat) sorry(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return err // the connection is over
	}
	if !errors.Is(err, errStopped) {
		c.troubles.Do(func() { c.log.Error("chat: the database does not work", "err", err) })
	}
	no := refuse("store", "The chat cannot store or read messages at the moment.")
	no.Retry = 2000
	return no
}
