// Package consumer is what programs write: the code that serves one connection.
//
// A consumer is a struct that embeds [Base] and declares the methods that it needs:
// Connect, Receive and Disconnect. They use a [Conn] to send to the peer, to join groups
// and to send to groups. There are five ways to write a consumer:
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
// The Example of [New] is a chat with rooms. Those of [Func], [JSONBy], [On],
// [Conn.JoinFrom] and [Conn.Enter] show a loop, typed messages, typed events, history
// and presence. The command go doc does not show Examples: read them in the files
// example_*_test.go. Package consumertest tests consumers without a network.
//
// A file with a consumer imports this package alone. The names of packages protocol and
// layers that such a file needs are here, too: types, constants, events and errors.
package consumer
