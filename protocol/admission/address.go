package admission

import (
	"encoding/binary"
	"net/netip"
	"strings"
)

// address is what Capacity.ConnsPerAddress counts connections under: an address of IPv4,
// or in IPv6 the /64 that one customer has. The zero value is not counted.
type address struct {
	prefix uint64
	family uint8 // 4, 6, or 0
}

// sharedSpace is used inside of providers and clusters (RFC 6598).
//
//nolint:gochecknoglobals // a constant
var sharedSpace = netip.MustParsePrefix("100.64.0.0/10")

// addressOf returns what a peer is counted under. remote has the form of
// http.Request.RemoteAddr; the port may be missing. Not counted are peers without an
// address and, unless all are, those in networks where proxies are.
func addressOf(remote string, all bool) address {
	var addr netip.Addr
	if at, err := netip.ParseAddrPort(remote); err == nil {
		addr = at.Addr().Unmap()
	} else if at, err := netip.ParseAddr(strings.Trim(remote, "[]")); err == nil {
		addr = at.Unmap()
	} else {
		return address{}
	}
	if !all && (addr.IsPrivate() || addr.IsLoopback() || addr.IsLinkLocalUnicast() || sharedSpace.Contains(addr)) {
		return address{}
	}
	if addr.Is4() {
		ip := addr.As4()
		return address{uint64(binary.BigEndian.Uint32(ip[:])), 4}
	}
	ip := addr.As16()
	return address{binary.BigEndian.Uint64(ip[:]), 6}
}
