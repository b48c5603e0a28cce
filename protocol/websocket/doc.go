// Package websocket carries WebSocket connections (RFC 6455) to an application,
// on net/http.
//
// [Handler] is an http.Handler for any mux; [New] makes the same with options,
// for a mux or for a router.ProtocolTypeRouter.
//
// # Reading and writing
//
// On Linux, an event loop runs the connections that are plain TCP or Unix sockets: one
// goroutine for each processor waits for many sockets, reads what has come, runs the
// callbacks on the spot, and writes the messages that they have sent, with one write for
// each read. What other goroutines and groups send is queued, and the loop writes it in its
// turn. An idle connection has no goroutine, no buffer and no timer.
//
// A connection over TLS, or wrapped otherwise, and every connection on other systems, has
// one goroutine that does the same for it alone. [Options].Engine chooses; an application
// sees no difference.
//
// # May my callback block?
//
// Yes. A callback may wait for a database, a lock or another service, or compute for long.
// What happens then:
//
//   - Another goroutine takes over the loop and serves its other connections. This is
//     noticed after one to two milliseconds, in which those connections wait. Functions of
//     Wye that may wait, such as a send under protocol.OverflowBlock or a group send
//     through a layer on another machine, hand the loop over before they wait.
//   - It also reads the connection whose callback blocks: pings and the close handshake are
//     answered, and messages wait, up to Limits.ReadAhead. The messages sent so far are
//     written. The callbacks of one connection never overlap.
//   - The server learns that callbacks of this route block. For a second, and for longer if
//     they go on to block, the callbacks of all its connections run on goroutines of their
//     own, and no connection waits for another one, not even for the millisecond. That costs a
//     copy of each message and a change of goroutine. When none has
//     blocked for that time, they run on the loop again; if they block again soon, the time
//     doubles, up to a minute.
//   - The peer's close, or its hanging up, waits for such callbacks for up to ten
//     milliseconds, so that it does not overtake the answer to the message before it.
//   - While the machine is so busy that a callback which takes long may only have waited
//     for a processor, nothing is learned.
//
// What you can do: nothing, in most programs. router.Blocking says from the start that the
// callbacks of a route block, and router.Inline that they never do; consumer.Func always
// has a goroutine for its function. Work that does not belong to the order of a connection's
// messages is better started with Conn.Go. A callback that computes without a pause holds a
// processor whichever way it runs.
//
// # Supported parts of the protocol
//
// The handshake, text and binary messages, fragments, pings, pongs and the close
// handshake, as RFC 6455 requires (the tests include a conformance suite with the cases of
// Autobahn's families 1 to 7, 9, 10, 12 and 13). Text that is not UTF-8 is refused at the first
// invalid byte. Of the extensions, permessage-deflate (RFC 7692) is negotiated if
// Options.Compression is set; others are declined.
// WebSocket over HTTP/2 (RFC 8441) is answered with 501.
//
// After a refused handshake the server closes the connection, so that the bytes behind the
// request are not served as another request. If the request declares a body, the answer
// does not wait for it, and the connection is closed within a second. This needs an Unwrap
// method in middleware that wraps the http.ResponseWriter.
//
// The server sends a ping to a peer that is silent for Options.PingInterval, and cuts the
// connection if nothing comes within Options.PongTimeout; [protocol.Conn.RTT] returns how
// long the last answer took. Connections are checked at fixed intervals, so that these
// times are exact to within a quarter of the shorter one. They are counted in checks: if
// the server's machine is suspended, its peers are not taken for dead.
//
// # Compression
//
// With [Options].Compression, messages are compressed with peers that offer permessage-deflate
// (RFC 7692), as all browsers do. See [Compression] for what it costs, protocol.Message.Uncompressed
// for when it endangers secrets, and [Stats].Compression for what it saves.
//
//   - A message is compressed by the goroutine that sends it, into one frame. A message to a
//     group is compressed once for all members with the same parameters: for nearly all, once.
//     A callback on an event loop that sends more than 64 KiB hands the loop over before.
//   - A message of a peer is inflated as it comes, so that at no time more than its inflated
//     part is in memory, and is refused as soon as that part is larger than Limits.MaxMessage or
//     Compression.MaxRatio allows, or is not UTF-8. On an event loop the others have their turn
//     after every 64 KiB or so.
//   - Without context takeover nothing is kept between messages. With it, windows are kept
//     within Compression.WindowBytes.
//   - Limits.MaxFrame, Limits.QueueBytes and Capacity count compressed bytes; Limits.MaxMessage,
//     Limits.ReadAhead, Limits.Rate and protocol.Traffic count those of the messages themselves.
//   - An invalid message closes the connection with 1007, one that is too big with 1009, and a
//     frame with a reserved bit where it must not be with 1002.
//
// # What the rest of a program sees
//
// The server takes each connection over from net/http (http.Hijacker), whatever runs it:
//
//   - http.Server.ConnState reports StateHijacked and nothing later, and http.Server.Shutdown
//     does not wait for the connection: call [Server.Shutdown], or use router.Run.
//   - Middleware sees ServeHTTP return right after the handshake. A trace or a metric of the
//     request ends there, with status 101 or none; measure connections in the application, and
//     with [Stats].
//
// What depends on whether an event loop runs the connection (see [Options].Engine):
//
//   - A loop takes over the socket: it duplicates the descriptor and closes the net.Conn. If
//     something in front has kept the net.Conn, for example by http.Server.ConnContext, its
//     methods return net.ErrClosed from then on, although the connection is open. With a
//     goroutine, it is the connection itself, and other code must not use it.
//   - A listener that wraps its connections, to limit or count them (netutil.LimitListener),
//     for TLS or for a PROXY protocol, keeps its rules: such connections are run by
//     goroutines, and the wrapper's Close is called when the connection is over.
//   - A profile of goroutines has one for each loop that has connections
//     (engine.(*loop).drive), and others only while callbacks block; without loops, it has
//     one for each connection. In a CPU profile, callbacks are below engine.(*loop).drive.
//     Execution traces (runtime/trace) show the loop as one goroutine with the work of all its
//     connections.
//
// # Bounds
//
// All resources that a peer can use are bounded. Each bound has a default, and a counter in
// [Stats]:
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
//	messages of one connection  256       the other connections of     none
//	in a row, on a loop                   the loop are served first
//	messages after a close      1 s       messages from before the     MessagesUnread
//	                                      peer's end are dropped
//	messages after a close      1000      the same                     MessagesUnread
//	Compression.MaxRatio        200       close 1009                   TooBig
//	Compression.WindowBytes     64 MiB    no context takeover          none
//
// With the policy [protocol.OverflowClose], a queue may grow to four times its limit as
// long as it has been more than half full for less than a second.
//
// Outgoing text that is not UTF-8 is refused with protocol.ErrNotUTF8, or repaired if
// Limits.RepairText is set. It is counted as MessagesInvalid.
//
// A message with a Key (see [protocol.Message]) replaces a message with the same key that
// still waits in the queue, which is counted as MessagesConflated. So that such messages
// wait in the queue and not in the kernel, a connection that sends them limits the unsent
// bytes in the kernel to about 16 KiB (TCP_NOTSENT_LOWAT). This works on Linux and macOS,
// for TCP, for TLS, and for connections with a NetConn method. Elsewhere, and on Unix
// sockets, the kernel's buffer is filled first. Connections that send no message with a key
// are not changed.
//
// Limits are for each connection. A route may have its own: see router.Limit. router.MaxConns
// bounds how many connections an application has at once (503).
//
// Before the server sees a request, http.Server bounds what is read. Set its
// ReadHeaderTimeout, as router.Run does: without it a peer may take any time to send its
// request.
package websocket
