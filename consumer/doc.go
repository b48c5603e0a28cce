// Package consumer is what programs write: a struct with three methods, or a
// function with a loop, for each connection. An ordinary consumer file imports
// this package and protocol.
//
//	[New]      a struct that receives messages: the usual form
//	[JSON]     a struct that receives decoded messages
//	[JSONBy]   a struct with a method for each type of JSON message
//	[ReceiveFunc]  one function for each message, no struct
//	[Func]     one function for each connection, with a loop over its messages
//
// Each of them returns a protocol.Application, for websocket.New or a route of
// a router. Test them with package consumertest, without a network.
package consumer
