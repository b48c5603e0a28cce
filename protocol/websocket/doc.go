// Package websocket carries WebSocket connections (RFC 6455) to an application,
// on net/http.
//
// [Handler] is an http.Handler for any mux; [New] makes the same with options,
// for a mux or for a router.ProtocolTypeRouter.
//
// # Reading and writing
//
// Each connection has one goroutine, which reads, runs the callbacks and writes
// what they sent, one write for each read. Callbacks may block: then, after a
// few milliseconds, another goroutine takes over reading, so that pings and the
// close handshake are answered, and what was sent before goes out. Sends from
// elsewhere are written by a goroutine that lives as long as there is something
// to write.
//
// # What is there
//
// The handshake, text and binary messages, fragments, pings, pongs and the close
// handshake, to the letter of RFC 6455 (a conformance suite with the cases of
// Autobahn's families 1 to 7, 9 and 10 is among the tests); text that is not UTF-8 is refused at the
// first byte that makes it so. Extensions, such as compression, are declined.
// WebSocket over HTTP/2 (RFC 8441) is answered with 501.
//
// A refused handshake closes its connection, so that what the peer has sent behind
// it is not served as another request. If the request declares a body, the answer
// does not wait for it, and the connection is closed within a second; for this a
// middleware that wraps the http.ResponseWriter needs an Unwrap method.
//
// A peer that says nothing is sent a ping (Options.PingInterval), and cut if
// nothing comes back (Options.PongTimeout); [protocol.Conn.RTT] is how long the
// last answer took. All connections are looked at in turn, which is how often
// intervals are exact: to within a quarter of the shortest one, and a machine
// that stood still takes nobody for dead.
//
// # Bounds
//
// What a peer can cost has a bound, whatever it does. Each has a default, and
// each is counted in [Stats]:
//
//	bound                       default   what happens                 counter
//	MaxHandshake                32 KiB    431                          Oversized
//	MaxHeaderLines              100       431                          Oversized
//	HandshakeTimeout            10 s      503                          Late
//	branches of routers         1000      404                          Unrouted
//	Capacity.Handshakes         4096      503                          Full
//	Capacity.Conns              100,000   503                          Full
//	Capacity.ConnsPerAddress    10,000    429                          Crowded
//	Capacity.HandshakesPerSecond none     503                          RateLimited
//	Limits.MaxMessage, MaxFrame 1 MiB     close 1009                   TooBig
//	Limits.MaxFragments         100,000   close 1008                   TooManyFrames
//	Limits.MaxControlFrames     1000      close 1008                   TooManyFrames
//	Limits.MinRate              240 B/s   close 1008                   SlowSenders
//	Limits.ReadAhead            64 KiB    reading stops for a while    Pauses
//	Limits.Rate                 none      reading stops for a while,   RatePauses,
//	                                      or close 1008                RateClosed
//	Limits.QueueEvents          4096      Limits.EventOverflow: close  BusyClosed,
//	                                      1013, drop an event          EventsOverflowed
//	Limits.QueueEventBytes      4 MiB     the same                     the same
//	Limits.Groups               500       protocol.ErrTooMany    GroupsRefused
//	Limits.Goroutines           100       an error of Conn.Go          GoroutinesRefused
//	functions of Conn.Go        10 s      Disconnect does not wait     GoroutinesAbandoned
//	after the end                         for them any longer
//	Limits.QueueBytes           4 MiB     Limits.Overflow: close 1013, SlowClosed,
//	                                      drop, or wait                MessagesDropped
//	Capacity.QueueBytes         256 MiB   the same                     QueuesFull too
//	Capacity.ReadBytes          256 MiB   close 1013: the oldest       HeldClosed
//	WriteTimeout                15 s      cut                          WriteTimeouts
//	CloseTimeout                5 s       cut                          CloseTimeouts
//	PongTimeout                 20 s      cut                          Unanswered
//	messages after a close      1 s       messages from before the     MessagesUnread
//	                                      peer's end are dropped
//	messages after a close      1000      the same                     MessagesUnread
//
// A queue that closes may go to four times its limit as long as it has been more
// than half full for less than a second: see [protocol.OverflowClose].
//
// Outgoing text that is not UTF-8 is refused with protocol.ErrNotUTF8 or repaired, as
// Limits.RepairText says, and counted as MessagesInvalid.
//
// What can be replaced need not fill a queue: a message with a [protocol.Message]
// Key replaces the one with that key that still waits, which is counted as
// MessagesConflated. A connection that sends such messages has the kernel keep no
// more than about 16 KiB that are not sent (TCP_NOTSENT_LOWAT), so that they wait
// where they can be replaced: on Linux and macOS, for TCP, TLS, and connections that
// show the one they wrap by a method NetConn. On others, and on Unix sockets, the
// kernel's buffer is filled first. Other connections are not touched.
//
// Limits are for each connection, and a route may have its own: router.Limit puts
// them in front of an application. router.MaxConns bounds how many connections it
// has at once (503).
//
// What net/http reads before is bounded by http.Server: set ReadHeaderTimeout,
// as router.Run does, or a peer may take for ever to send its request.
package websocket
