package websocket

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/wye-go/wye/protocol"
)

// Options configure a [Server]. The zero value, and nil, are safe.
type Options struct {
	// Origins are the web origins that browsers may connect from, beside the
	// server's own host: "example.com" and "example.com:8443" with any
	// scheme, ".example.com" for the domain and all below it,
	// "https://example.com" with scheme and port. If the server is addressed
	// as a loopback host, any loopback origin may connect, so that a front
	// end's development server works. Requests without an Origin header do
	// not come from a browser's page and are served.
	Origins []string
	// InsecureAllowAnyOrigin lets every web page in the world open
	// connections with the cookies of whoever looks at it. List Origins
	// instead.
	InsecureAllowAnyOrigin bool

	// Limits bound each connection. Zero fields mean their defaults.
	Limits protocol.Limits
	// MaxHandshake is the size of the request's headers in bytes; more is
	// answered with 431. Default 32 KiB. (http.Server.MaxHeaderBytes bounds
	// what is read at all.)
	MaxHandshake int

	// HandshakeTimeout bounds routing and Connect: their context ends with
	// it, which is answered with 503. Default 10 s.
	HandshakeTimeout time.Duration
	// WriteTimeout is how long a write may make no progress; then the
	// connection is cut. Default 15 s.
	WriteTimeout time.Duration
	// CloseTimeout is how long the peer may take to read what is queued
	// before our close and to answer it; then the connection is cut.
	// Default 5 s.
	CloseTimeout time.Duration

	// KeepContext returns the context whose values the callbacks after the
	// handshake find in theirs. Default: none. What middleware put into the
	// request's context may be recycled as soon as its handler returns; keep
	// only what you know to be yours. Its end does not end the connection.
	KeepContext func(r *http.Request) context.Context

	// Logger is for faults of the application and refused origins. Default
	// slog.Default().
	Logger *slog.Logger
}

const (
	defaultMaxHandshake     = 32 << 10
	defaultHandshakeTimeout = 10 * time.Second
	defaultWriteTimeout     = 15 * time.Second
	defaultCloseTimeout     = 5 * time.Second
)

// withDefaults returns a copy of o, which may be nil, with defaults filled in.
func (o *Options) withDefaults() Options {
	var c Options
	if o != nil {
		c = *o
	}
	c.Limits = c.Limits.WithDefaults()
	c.MaxHandshake = orDefault(c.MaxHandshake, defaultMaxHandshake)
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
