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

// chat is the program without its listener: the database, the people, the limits and
// the layer.
type chat struct {
	store  *store
	people *people
	rooms  *rooms
	layer  *layers.Layer
	nodes  *nodes // nil: there is only this one

	proxies      proxies
	warnProxy    rate.Sometimes // warns the operator about a proxy that -proxies does not name
	warnDatabase rate.Sometimes // limits the log lines about a database that fails
	log          *slog.Logger
}

// newChat opens the database, and creates its tables if it has none. l connects the nodes
// of the chat; nil means that there is one. trusted are the proxies in front of them. Close
// closes l.
func newChat(ctx context.Context, db string, l *layers.Layer, trusted ...netip.Prefix) (c *chat, err error) {
	c = &chat{rooms: newRooms(), layer: l, proxies: trusted, log: slog.Default()}
	c.warnProxy.First = 1
	c.warnDatabase.Interval = 10 * time.Second
	if l == nil {
		c.layer = new(layers.Layer)
	}
	if c.store, err = openStore(ctx, databaseOf(db, l != nil), c.publish); err != nil {
		return nil, errors.Join(err, c.closeLayer())
	}
	if c.people, err = newPeople(ctx, c.store, c.rooms, c.proxies); err == nil && l != nil {
		err = c.share(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// Close closes the database and the layer. The caller closes the connections first.
func (c *chat) Close() error {
	c.unshare()
	return errors.Join(c.store.Close(), c.closeLayer())
}

func (c *chat) closeLayer() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return c.layer.Close(ctx)
}

// router serves the page to plain requests and the rooms to WebSocket connections.
func (c *chat) router() *router.ProtocolTypeRouter {
	return router.New(c.page(), websocket.New(c.urls(), &websocket.Options{
		Subprotocols:   []string{subprotocol},
		TrustedProxies: c.proxies,
		Limits:         limits,
	}))
}

// limits apply to each connection. A message of 2000 characters takes at most 24 KB as
// JSON with escapes. The queue holds a few pages of messages. The rate is twice that of
// the limit on a person's requests, which closes the connection with a reason; this one
// applies before a message is parsed.
var limits = protocol.Limits{
	MaxMessage: 32 << 10,
	QueueBytes: 1 << 20,
	Rate:       protocol.Rate{Messages: 40, MessageBurst: 200},
}

// urls routes connections to the rooms. The name of a room is the name of its group.
func (c *chat) urls() consumer.Application {
	return router.Use(router.NewURLRouter(
		router.RePath(`^ws/(?P<group>`+roomNames+`)/$`, c.members()),
	), router.Auth(c.people.authenticate), layers.Middleware(c.layer))
}

// roomNames is the pattern of the names of rooms.
const roomNames = `[\w-]{1,99}`

// publish sends a stored message to the members of its room. The store calls it for one
// message of a room after the other, in the order of their positions.
func (c *chat) publish(room string, m Message) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	err := c.layer.GroupSend(ctx, room, Said.New(m))
	if err != nil && !errors.Is(err, layers.ErrDown) { // then the other nodes find it in the database
		c.log.Error("chat: a stored message was not sent to all members", "room", room, "seq", m.Seq, "err", err)
	}
}

// databaseError logs why the database fails, and returns the refusal for the client,
// which asks it to try again.
func (c *chat) databaseError(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return err // the connection has closed
	}
	if !errors.Is(err, errStopped) {
		c.warnDatabase.Do(func() { c.log.Error("chat: the database failed", "err", err) })
	}
	no := refuse("store", "The chat cannot store or read messages at the moment.")
	no.Retry = 2000
	return no
}
