package redis

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"syscall"

	"github.com/redis/rueidis"
)

// target returns how the driver connects to the server of a URL.
func (s *settings) target(a *address) target {
	o := rueidis.ClientOption{InitAddress: a.hosts, SelectDB: a.db, Username: a.user.user, Password: a.user.password}
	if a.tls {
		o.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12}
		if s.TLS != nil {
			o.TLSConfig = s.TLS.Clone()
		}
	}
	if a.socket {
		o.DialCtxFn = dialSocket
	}
	if a.sentinels {
		o.Sentinel = rueidis.SentinelOption{
			MasterSet: a.master, Username: a.sentinel.user, Password: a.sentinel.password, TLSConfig: o.TLSConfig,
			Dialer: net.Dialer{Timeout: dialTimeout, KeepAlive: idlePing},
		}
	}
	if s.Credentials != nil || s.SentinelCredentials != nil && a.sentinels {
		s.askCredentials(a, &o)
	}
	return target{name: a.name(), option: o}
}

func dialSocket(ctx context.Context, path string, d *net.Dialer, _ *tls.Config) (net.Conn, error) {
	return d.DialContext(ctx, "unix", path)
}

// askCredentials has users and passwords asked for when a connection is opened. rueidis calls
// one function for servers and Sentinels, and tells it the address: that of a Sentinel is
// marked, by a connection of which the dialer is marked.
func (s *settings) askCredentials(a *address, o *rueidis.ClientOption) {
	if a.sentinels {
		o.Sentinel.Dialer.ControlContext = func(context.Context, string, string, syscall.RawConn) error { return nil } // the mark
		o.DialCtxFn = dialMarked
	}
	servers := credentials(s.Credentials, a.user, "Options.Credentials")
	sentinels := credentials(s.SentinelCredentials, a.sentinel, "Options.SentinelCredentials")
	o.AuthCredentialsFn = func(c rueidis.AuthCredentialsContext) (rueidis.AuthCredentials, error) {
		if _, ok := c.Address.(sentinelAddr); ok {
			return sentinels()
		}
		return servers()
	}
}

// askFunc is Options.Credentials or Options.SentinelCredentials.
type askFunc func(context.Context) (user, password string, err error)

// credentials returns a function that returns what ask returns, or l if ask is nil. name is
// that of the option.
func credentials(ask askFunc, l login, name string) func() (rueidis.AuthCredentials, error) {
	return func() (rueidis.AuthCredentials, error) {
		if ask == nil {
			return rueidis.AuthCredentials{Username: l.user, Password: l.password}, nil
		}
		ctx, cancel := context.WithTimeout(context.Background(), dialTimeout)
		defer cancel()
		user, password, err := ask(ctx)
		if err != nil {
			return rueidis.AuthCredentials{}, fmt.Errorf("%s has returned an error: %w", name, err)
		}
		return rueidis.AuthCredentials{Username: user, Password: password}, nil
	}
}

// dialMarked dials, and marks the connections to Sentinels.
func dialMarked(ctx context.Context, addr string, d *net.Dialer, t *tls.Config) (net.Conn, error) {
	c, err := dial(ctx, addr, d, t)
	if err != nil || d.ControlContext == nil {
		return c, err
	}
	return sentinelConn{c}, nil
}

// sentinelConn is a connection to a Sentinel.
type sentinelConn struct{ net.Conn }

// RemoteAddr returns a sentinelAddr.
func (c sentinelConn) RemoteAddr() net.Addr { return sentinelAddr{c.Conn.RemoteAddr()} }

// NetConn returns the connection below TLS.
func (c sentinelConn) NetConn() net.Conn {
	if secure, ok := c.Conn.(*tls.Conn); ok {
		return secure.NetConn()
	}
	return c.Conn
}

type sentinelAddr struct{ net.Addr }
