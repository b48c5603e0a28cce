package admission

import (
	"net"
	"net/http"
	"net/netip"

	"github.com/wye-go/wye/protocol/internal/forwarded"
)

// Client is the client that has sent a request: the peer of the socket or, if that peer is
// a trusted proxy, the client that the proxy reports. See [ClientOf].
type Client struct {
	// RemoteAddr has the form of http.Request.RemoteAddr. An address that a
	// proxy reports has port 0 if the proxy does not report the port.
	RemoteAddr string
	// Scheme is that of the client's request: "https", "http", or "" if it is
	// not known because no trusted proxy reports it and the socket has no TLS.
	Scheme string
	// Suspect says that a trusted proxy passed on headers that contradict each
	// other or are malformed, so that none is believed: RemoteAddr is that of
	// the proxy. Clients can cause this if the proxy neither replaces nor
	// removes one of the headers.
	Suspect bool
}

// ClientOf returns the client of r. trusted are the networks of the proxies in front. If the
// peer of the socket is in one of them, ClientOf reads the client from the headers, and
// otherwise it ignores them. The peer of a Unix socket counts as 127.0.0.1.
//
// The headers are X-Forwarded-For (any number of lines; addresses as 192.0.2.1,
// 192.0.2.1:4711, 2001:db8::1, [2001:db8::1] and [2001:db8::1]:4711) and Forwarded
// (RFC 7239), for the scheme X-Forwarded-Proto too. Their addresses are read from
// the right, which is the nearest proxy's, up to the first one that is not trusted:
// that is the client. If all of them are trusted, the leftmost one is. Reading also
// stops at what is not an address, such as "unknown" and "_hidden": then the client
// is the proxy before. If X-Forwarded-For and Forwarded name different clients,
// neither is believed.
//
// ClientOf is for protocols, which set Scope.RemoteAddr, and for handlers of plain
// HTTP. It does not change r.
func ClientOf(r *http.Request, trusted []netip.Prefix) Client {
	c := Client{RemoteAddr: r.RemoteAddr}
	if r.TLS != nil {
		c.Scheme = "https"
	}
	if len(trusted) == 0 || !forwarded.IsTrusted(trusted, peerOf(r)) {
		return c
	}
	client, ok := forwarded.Read(trusted, forwarded.Header{
		For: r.Header["X-Forwarded-For"], Forwarded: r.Header["Forwarded"], Proto: r.Header["X-Forwarded-Proto"],
	})
	c.Suspect = !ok
	if ok && client.Addr.IsValid() {
		c.RemoteAddr = client.Addr.String()
	}
	if client.Scheme != "" {
		c.Scheme = client.Scheme
	}
	return c
}

// peerOf returns the address of the socket's peer, or an invalid one.
func peerOf(r *http.Request) netip.Addr {
	if local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok && local.Network() == "unix" {
		return netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	return forwarded.ParseNode(r.RemoteAddr).Addr()
}
