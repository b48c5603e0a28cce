package websocket

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/admission"
)

// Options configure a [Server]. The zero value, and nil, are safe.
type Options struct {
	// Origins are the web origins that browsers may connect from, beside the
	// server's own host: "example.com" and "example.com:8443" by http and
	// https, ".example.com" for the domain and all below it,
	// "https://example.com" with scheme and port. Pages of apps and extensions
	// are listed as their shell sends them: "capacitor://localhost",
	// "tauri://localhost", "chrome-extension://<id>", "file://". "null" allows
	// all pages without an origin of their own: those of files in some
	// browsers, but also what any site puts into a sandboxed frame. Names are
	// written as browsers send them (xn--mnchen-3ya.example).
	//
	// If the server is addressed as a loopback host, any loopback page may
	// connect by http or https, so that a front end's development server
	// works. Requests without an Origin header do not come from a browser's
	// page and are served.
	//
	// If the client uses TLS, by the socket or by what a trusted proxy
	// reports, a page that came by http may not connect, unless it is listed
	// with its scheme. Where TLS ends in a proxy, this needs TrustedProxies.
	Origins []string
	// InsecureAllowAnyOrigin lets every web page in the world open
	// connections, with the cookies of the user who opens the page. List
	// Origins instead.
	InsecureAllowAnyOrigin bool
	// Hosts are the names that the server is reached by, as in the Host
	// header: "example.com" with any port, "example.com:8443", ".example.com"
	// for the domain and all below it, "[::1]". Other requests are answered
	// with 421. Default: any host. Set it if browsers can reach the server
	// without a proxy that knows the names, for example on a loopback address
	// or in a private network: a page of an attacker's domain whose DNS entry
	// changes to the server's address has the server's own host as its origin,
	// and passes the check of origins.
	Hosts []string
	// TrustedProxies are the networks of the proxies in front of the server,
	// whose X-Forwarded-For, Forwarded and X-Forwarded-Proto are believed: see
	// admission.ClientOf. The client that they report is Scope.RemoteAddr and
	// the peer in log lines, and Capacity.ConnsPerAddress counts it. A proxy
	// on a Unix socket counts as 127.0.0.1. Default: none, and no header is
	// believed.
	TrustedProxies []netip.Prefix

	// Subprotocols are the subprotocols of the application, in its order of preference.
	// The server chooses the first one that the peer offers, unless Connect has called
	// Conn.Accept with one.
	Subprotocols []string

	// Limits bound each connection, unless router.Limit says otherwise for
	// its route. Zero fields mean their defaults.
	Limits protocol.Limits
	// Capacity bounds all connections together. Zero fields mean their
	// defaults.
	Capacity Capacity
	// MaxHandshake bounds the size of the request's line and headers in bytes,
	// and MaxHeaderLines the number of headers; more is answered with 431.
	// Default 32 KiB and 100. (http.Server.MaxHeaderBytes and ReadHeaderTimeout
	// bound how much net/http reads, and for how long.)
	MaxHandshake   int
	MaxHeaderLines int

	// HandshakeTimeout bounds routing and Connect: their context ends after
	// it, and the peer is answered with 503. Default 10 s.
	HandshakeTimeout time.Duration
	// WriteTimeout is how long a write may make no progress; then the
	// connection is cut. Over TLS, and other wrappers, 128 KiB must have been
	// written by then. Default 15 s.
	WriteTimeout time.Duration
	// CloseTimeout is how long the peer may take, from the first close, to
	// read what is queued and to answer the server's close; then the connection
	// is cut, up to 20 ms later. After the answer the peer has one more second to close the socket
	// (a wrapped connection without CloseWrite is closed at once). Default 5 s.
	CloseTimeout time.Duration

	// PingInterval is how long a peer may send nothing until the server sends
	// it a ping, to within a quarter of it. Proxies drop idle connections, many
	// after 60 s. Default 25 s; negative: no pings, and no PongTimeout.
	PingInterval time.Duration
	// PongTimeout is how long a peer may send nothing after a ping; then the
	// connection is cut, with ErrPongTimeout. The time in which the server does not
	// read, because a callback is busy and Limits.ReadAhead is reached, is not counted.
	// Default 20 s.
	PongTimeout time.Duration

	// Compression compresses messages with peers that offer it (permessage-deflate).
	// Default: nil, which declines the offers, and all extensions.
	Compression *Compression

	// Engine chooses how connections are run. Default: EngineAuto.
	Engine Engine

	// Shutdown says how Server.Shutdown, and with it router.Run, closes the
	// open connections and refuses new ones. Default: 1001, "the server is
	// shutting down", and 503 with a Retry-After of 5 to 10 s.
	Shutdown ShutdownOptions

	// PassUnrouted passes handshakes on for which the application has no route: a router
	// serves them with its plain handler, for example a reverse proxy to the program whose
	// routes move to Wye one by one. That program then checks them: none of these options
	// applies. Default: such handshakes are answered with 404.
	PassUnrouted bool

	// KeepContext returns a context for the connection that r opens. Callbacks after the
	// handshake get a ctx with its values; without KeepContext they do not have the values
	// of the request's context. Return only values of your own: middleware may recycle the
	// values that it has put into the request's context. The connection goes on when the
	// returned context ends. Default: none.
	KeepContext func(r *http.Request) context.Context

	// Logger is for faults of the application and for refusals. Default
	// slog.Default().
	Logger *slog.Logger
}

// Capacity bounds the connections of a [Server] together. A zero or negative
// field means its default. Refusals are counted in [Stats], and the first one in
// ten seconds is logged.
type Capacity struct {
	// Conns is how many connections may be open or opening; one more is
	// answered with 503. Default 100,000.
	Conns int
	// ConnsPerAddress is how many of them one address may have, or one /64 in
	// IPv6; one more is answered with 429. Behind a proxy, set
	// Options.TrustedProxies, or the proxy's address is counted.
	// Default 10,000, and then loopback and private addresses, which mostly
	// are proxies, are not counted. Peers without an address, as on a Unix
	// socket, never are.
	ConnsPerAddress int
	// Handshakes is how many connections may be waiting for Connect to
	// decide; one more is answered with 503. Default 4096.
	Handshakes int
	// HandshakesPerSecond is how many handshakes are let in per second, on
	// average; one more is answered with 503 and a Retry-After that spreads
	// those that are refused over the time in which they can be let in, up to
	// a minute or two. It bounds the load when all peers of a restarted server
	// connect at once: choose what Connect and its database can bear. Only
	// handshakes that reach the application count. Default: no bound.
	HandshakesPerSecond int
	// HandshakeBurst is how many may come at once, after a time without.
	// Default HandshakesPerSecond.
	HandshakeBurst int
	// QueueBytes bounds the size of all outgoing queues together, in bytes. The
	// first 4 KiB of each are not counted. A message of 2 KiB or more
	// that is sent to a group, or otherwise with SendPrepared, counts once for
	// all queues of the server that hold it, from when the first takes it until
	// the last has written or dropped it. When the bound is reached, a
	// connection whose queue is not empty is treated as if its own queue were
	// full (Limits.QueueBytes), unless the message is already counted. Default
	// 256 MiB.
	QueueBytes int
	// ReadBytes bounds how many bytes of incoming messages all connections hold
	// together: incomplete messages, with the memory that is reserved for them, and
	// messages that wait for a callback. For each connection, the first 4 KiB of each of
	// the two are not counted, and neither is the message that a callback is handling.
	// When the bound is exceeded, the connection whose bytes have been counted for the
	// longest time is closed with 1013, and its bytes are dropped: see
	// protocol.SessionOptions. Default 256 MiB.
	ReadBytes int
}

// withDefaults fills in the bounds that package admission does not have.
func (c Capacity) withDefaults() Capacity {
	c.QueueBytes = orDefault(c.QueueBytes, 256<<20)
	c.ReadBytes = orDefault(c.ReadBytes, 256<<20)
	return c
}

const (
	defaultMaxHandshake     = 32 << 10
	defaultMaxHeaderLines   = 100
	defaultHandshakeTimeout = 10 * time.Second
	defaultWriteTimeout     = 15 * time.Second
	defaultCloseTimeout     = 5 * time.Second
	defaultPingInterval     = 25 * time.Second
	defaultPongTimeout      = 20 * time.Second
)

// withDefaults returns a copy of o, which may be nil, with defaults filled in.
func (o *Options) withDefaults() Options {
	var c Options
	if o != nil {
		c = *o
	}
	c.Limits = c.Limits.WithDefaults()
	c.MaxHandshake = orDefault(c.MaxHandshake, defaultMaxHandshake)
	c.MaxHeaderLines = orDefault(c.MaxHeaderLines, defaultMaxHeaderLines)
	c.Capacity = c.Capacity.withDefaults()
	c.Compression = c.Compression.withDefaults()
	c.Subprotocols = slices.Clone(c.Subprotocols)
	if c.PingInterval == 0 {
		c.PingInterval = defaultPingInterval
	}
	c.PongTimeout = orDefault(c.PongTimeout, defaultPongTimeout)
	c.HandshakeTimeout = orDefault(c.HandshakeTimeout, defaultHandshakeTimeout)
	c.WriteTimeout = orDefault(c.WriteTimeout, defaultWriteTimeout)
	c.CloseTimeout = orDefault(c.CloseTimeout, defaultCloseTimeout)
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c
}

func orDefault[N int | time.Duration](n, otherwise N) N {
	if n > 0 {
		return n
	}
	return otherwise
}

// ShutdownOptions say how a server closes its connections and refuses new ones when it
// shuts down.
type ShutdownOptions = admission.ShutdownOptions
