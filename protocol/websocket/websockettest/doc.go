// Package websockettest has a WebSocket client for tests that are about the bytes on
// the wire. It sends what it is told, also what no browser would send, and checks
// every frame that the server sends.
//
//	ann := websockettest.Dial(t, server.URL+"/ws/tea/", nil)
//	ann.SendText("hello")
//	ann.WantText("hello")
//	ann.Send(websockettest.Frame{First: websockettest.FIN | 0x3}) // a reserved opcode
//	ann.WantClosed(protocol.CloseProtocolError)
//
// Each wait is bounded by [Client.Patience]; a wait that takes longer fails the test
// and says what was expected.
//
// With a [Listener] there is no network: its connections are net.Pipes, so that client
// and server can live in a bubble of testing/synctest, where time is fake.
//
// The client shares no code with Wye's server: a mistake in one of them is not made
// by the other. To test a consumer without its protocol, use package consumertest.
package websockettest
