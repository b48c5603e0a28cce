// Package consumer is what programs write: the code that serves one connection.
//
// A consumer is a struct that embeds [Base] and declares the methods it needs:
// Connect, Receive and Disconnect. The methods send to the peer, join groups and
// send to groups through a [Conn]. There are five ways to write one:
//
//   - [New] takes a struct that receives messages. It is the usual form.
//   - [JSON] takes a struct that receives decoded JSON messages.
//   - [JSONBy] takes a struct with one method for each type of JSON message.
//   - [ReceiveFunc] takes one function, which is called for each message.
//   - [Func] takes one function for each connection, which loops over its messages.
//
// Each of them returns an [Application], which websocket.Handler and websocket.New
// serve, directly or behind the routes of a router.
//
// The Example of New is a chat with rooms. Those of [Func], [JSONBy], [On],
// [Conn.JoinFrom] and [Conn.Enter] show a loop, typed messages, typed events, history
// and presence. They are in the files example_*_test.go of this package, because go doc
// does not show them. Package consumertest tests consumers without a network.
//
// A file with a consumer imports this package alone. The names of packages protocol and
// layers that such a file needs are here, too: types, constants, events and errors.
package consumer
