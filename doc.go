// Package wye is the walkthrough of a WebSocket framework that is to Go what Django Channels
// is to Django. It has no code; programs import its sub-packages.
//
// Wye takes the requests that reach a Go server and passes each to the code that handles it:
// plain HTTP to ordinary http.Handlers, and WebSocket connections through a router to
// consumers. Consumers send events to each other through groups.
//
// # A consumer
//
// A consumer is a struct. Each connection has one value of it. Embed consumer.Base, and write
// the methods that you need:
//
//	func (c *Chat) Connect(ctx context.Context, conn *consumer.Conn) error
//	func (c *Chat) Receive(ctx context.Context, conn *consumer.Conn, m consumer.Message) error
//	func (c *Chat) Disconnect(ctx context.Context, conn *consumer.Conn, s consumer.CloseStatus)
//
// Connect accepts the connection with nil, and refuses it with an error. Receive is called for
// each message. Disconnect is called once, after an accepted connection has closed. The calls
// of one connection never overlap, and they may block. A factory makes the consumer from the
// consumer.Scope of the connection; consumer.New makes an application of the factory.
//
// consumer.ReceiveFunc takes a function instead of a struct, consumer.Func one with a loop over
// messages, and consumer.JSON passes decoded messages to the consumer.
//
// # A server
//
// A WebSocket server is an http.Handler. It works in any mux, behind any middleware that
// does not prevent Hijack:
//
//	mux.Handle("GET /live/{item}", websocket.Handler(app))
//
// With more than one route, use a router, which also serves plain HTTP:
//
//	r := router.New(mux, websocket.New(router.NewURLRouter(
//		router.Path("ws/<group:room>/", chat),
//		router.Mount("admin/", router.Use(admin, router.Auth(staff))),
//	), nil))
//
// router.Run serves r until a context is done, and then closes all connections and waits for
// their Disconnect.
//
// # Groups and events
//
// conn.Join adds a connection to a group; the connection leaves it when it closes.
// conn.Broadcast sends a message to the members of a group. conn.GroupSend sends an event,
// which has a type and a payload, to the consumers of the members:
//
//	var Said = consumer.EventType[Line]{Name: "chat.message"}
//
//	conn.GroupSend(ctx, room, Said.New(Line{From: "Ann", Text: "hello"}))
//
//	consumer.New(newChat, consumer.On(Said, (*Chat).said))
//
// All other code of the program sends through a layer: layers.Default() is the one of
// this process. A layer also has history (Record, JoinFrom), presence (Enter, Present) and
// named channels, from which a layers.Worker takes work.
//
// # Tests
//
// Package consumer/consumertest is the peer of a connection, without a network; it works in
// testing/synctest, where time is fake. Package protocol/websocket/websockettest is a client for
// tests of the bytes on the wire.
//
// # Examples
//
// The Example of this package is a complete chat. The packages have Examples of their
// methods and options. go doc does not show Examples: read them on pkg.go.dev, or in the files
// example*_test.go. The directory examples/room has a chat with its page, in one file.
//
// # The packages
//
//	consumer                         what you write, and all names that its file needs
//	consumer/consumertest            tests of consumers
//	router                           routes, middleware, Run
//	protocol/websocket               the WebSocket server
//	protocol/websocket/websockettest a client for tests
//	layers, layers/memory            groups, history, presence, workers
//	layers/driver                    what the author of a back end for layers implements
//	layers/layertest                 the test suite for drivers, and a layer that fails on demand
//	protocol                         for middleware, and for protocols of your own
//	protocol/admission               origins, hosts and capacity, for protocols of your own
package wye
