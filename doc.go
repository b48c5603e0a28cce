// Package wye is the walkthrough; programs import its sub-packages.
//
// A wye is the junction where one track becomes two. Wye takes the requests that
// reach a Go server and sends each to the code that handles it: plain HTTP to
// ordinary http.Handlers, WebSocket connections through a router of URL patterns
// to consumers, which talk to each other through channel layers. It is to Go
// what Django Channels is to Django.
//
// # A consumer
//
// A consumer is a struct, one value for each connection. Embed consumer.Base and
// write the methods you need:
//
//	type Chat struct {
//		consumer.Base
//		room string
//	}
//
//	func (c *Chat) Connect(ctx context.Context, conn *consumer.Conn) error
//	func (c *Chat) Receive(ctx context.Context, conn *consumer.Conn, m consumer.Message) error
//	func (c *Chat) Disconnect(ctx context.Context, conn *consumer.Conn, s consumer.CloseStatus)
//
// Connect decides whether to accept, Receive gets each message, Disconnect runs
// exactly once. The calls of one connection never overlap, and may block. The
// whole program is the package's Example. For one function instead of a struct
// there is consumer.ReceiveFunc, for a loop instead of callbacks consumer.Func, for
// decoded messages consumer.JSON.
//
// # A place in the program
//
// A WebSocket server is an http.Handler, so it goes into any mux, behind any
// middleware that lets a connection be taken over:
//
//	mux.Handle("GET /live/{item}", websocket.Handler(app))
//
// With several routes, and plain HTTP beside them, there is a router, as in
// Channels:
//
//	router.New(mux, websocket.New(router.NewURLRouter(
//		router.Path("ws/<group:room>/", chat),
//		router.RePath(`^live/(?P<item>\w+)/$`, live),
//		router.Mount("admin/", router.Use(admin, router.Auth(staff))),
//	), nil))
//
// router.Run serves it until a context ends, and then lets everybody finish.
//
// # Groups and events
//
// conn.Join puts a connection into a group; at its end it leaves by itself.
// conn.Broadcast sends a message to everybody in a group. An event goes to the
// consumers instead, with a typed payload:
//
//	var Said = protocol.EventType[Line]{Name: "chat.message"}
//
//	conn.GroupSend(ctx, room, Said.New(Line{From: "Ann", Text: "hello"}))
//
//	consumer.New(newChat, consumer.On(Said, (*Chat).said))
//
// Anything else in the program sends through a layer: layers.Default() is the
// one of this process.
//
// # Tests
//
// Package consumer/consumertest is the peer of a connection without a network,
// made for testing/synctest, where time is fake. Package
// protocol/websocket/websockettest is a client for what goes over the wire.
//
// # The packages
//
//	consumer               what you write
//	consumer/consumertest  its tests
//	protocol/websocket     the http.Handler that carries connections to it
//	router                 ProtocolTypeRouter, URLRouter, middleware
//	layers, layers/memory  groups, channels, workers
//	layers/driver          what connects the layers of several processes
//	layers/layertest       a layer that fails, for tests; the suite for drivers
//	protocol               the vocabulary, and the seam for other protocols
//	protocol/admission     what such a protocol lets in: origins, hosts, capacity
package wye
