package admission

import (
	"log/slog"
	"net/netip"
)

// Options configure a [Gate]. The zero value, and nil, are safe: pages of the server's
// own host may connect, any host is served, no proxy is trusted, and the bounds are those
// of [Capacity].
type Options struct {
	// Name is the name of the type in which a program sets Origins, Hosts, TrustedProxies
	// and Capacity, for example "websocket.Options". It appears in panics, log lines and
	// refusals. Default "admission.Options".
	Name string

	// Origins are the web origins that browsers may connect from, beside the server's
	// own host: "example.com" and "example.com:8443" by http and https, ".example.com"
	// for the domain and all below it, "https://example.com" with scheme and port.
	// Pages of apps and extensions are listed as their shell sends them:
	// "capacitor://localhost", "chrome-extension://<id>", "file://". "null" allows all
	// pages without an origin of their own. Names are written as browsers send them
	// (xn--mnchen-3ya.example).
	//
	// If the server is addressed as a loopback host, any loopback page may connect by
	// http or https. If the client uses TLS, a page that was loaded by http may not
	// connect, unless it is listed with its scheme.
	//
	// A request without an Origin header comes from no page, and passes. An exception
	// is a request that asks for no upgrade: a browser leaves the header out of a plain
	// GET, and says by Sec-Fetch-Site, over HTTPS and to loopback hosts, whether the
	// page is of another site. Such a request is refused.
	Origins []string
	// InsecureAllowAnyOrigin lets every web page in the world connect, with the cookies
	// of the user who opens it. List Origins instead.
	InsecureAllowAnyOrigin bool
	// Hosts are the names that the server is reached by, as in the Host header:
	// "example.com" with any port, "example.com:8443", ".example.com" for the domain and
	// all below it, "[::1]". Default: any host. Set it if browsers can reach the server
	// without a proxy that knows the names: a page of an attacker's domain whose DNS
	// entry changes to the server's address has the server's own host as its origin.
	Hosts []string
	// TrustedProxies are the networks of the proxies in front of the server, whose
	// headers Gate.Client believes: see ClientOf. Default: none.
	TrustedProxies []netip.Prefix

	// Capacity bounds the connections. Zero fields mean their defaults.
	Capacity Capacity

	// Logger is for refusals. Default slog.Default().
	Logger *slog.Logger
}

// Capacity bounds the connections of a [Gate]. A zero or negative field means its
// default.
type Capacity struct {
	// Conns is how many connections may be in the gate; one more is refused with 503.
	// Default 100,000.
	Conns int
	// ConnsPerAddress is how many of them one address may have, or one /64 in IPv6; one
	// more is refused with 429. Default 10,000, and then loopback, private and
	// link-local addresses, which mostly are proxies, are not counted. Peers without an
	// address, as on a Unix socket, never are.
	ConnsPerAddress int
	// Handshakes is how many of them may be unanswered; one more is refused with 503.
	// Default 4096.
	Handshakes int
	// HandshakesPerSecond is how many connections are let in per second, on average. One
	// more is refused with 503 and a Retry-After of up to two minutes. Its time grows with
	// the number of refusals, so that refused peers come back at this rate. Default: no
	// bound.
	HandshakesPerSecond int
	// HandshakeBurst is how many connections may come at once after a pause. Default
	// HandshakesPerSecond.
	HandshakeBurst int
}

func (c Capacity) withDefaults() Capacity {
	c.Conns = orDefault(c.Conns, 100_000)
	c.ConnsPerAddress = orDefault(c.ConnsPerAddress, 10_000)
	c.Handshakes = orDefault(c.Handshakes, 4096)
	c.HandshakesPerSecond = max(c.HandshakesPerSecond, 0)
	c.HandshakeBurst = orDefault(c.HandshakeBurst, c.HandshakesPerSecond)
	return c
}

func orDefault(n, otherwise int) int {
	if n > 0 {
		return n
	}
	return otherwise
}
