// Package websockettest has a WebSocket client for tests of the bytes on the wire. The
// client sends valid and invalid frames, and checks every frame that the server sends.
//
//	ann := websockettest.Dial(t, server.URL+"/ws/tea/", nil)
//	ann.SendText("hello")
//	ann.WantText("hello")
//	ann.Send(websockettest.Frame{First: websockettest.FIN | 0x3}) // a reserved opcode
//	ann.WantClosed(protocol.CloseProtocolError)
//
// [Client.Patience] limits each wait. A wait that takes longer fails the test, and the
// failure says what was expected.
//
// A [Listener] needs no network: its connections are net.Pipes, so that client and
// server can run in a bubble of testing/synctest, where time is fake.
//
// The client shares no code with Wye's server, so that an error in one of them is not
// hidden by the same error in the other. To test a consumer without the protocol, use
// package consumertest.
package websockettest
