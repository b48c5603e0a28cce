package admission

import (
	"encoding/binary"
	"math"
	"net/netip"
	"strings"
)

// address is what Capacity.ConnsPerAddress counts connections under: the first 64 bits of
// an address of IPv6, because one customer has a /64. An address of IPv4 counts as its
// network of 6to4 (RFC 3056), which has the same owner.
type address uint64

// notCounted is a prefix of multicast addresses, which no peer has.
const notCounted address = math.MaxUint64

// sharedSpace is used inside of providers and clusters (RFC 6598).
//
//nolint:gochecknoglobals // a constant
var sharedSpace = netip.MustParsePrefix("100.64.0.0/10")

// addressOf returns the address under which a peer is counted. remote has the form of
// http.Request.RemoteAddr; the port may be missing. It returns notCounted for a peer
// without an address and, unless all is set, for one in a private network, where proxies
// usually are.
func addressOf(remote string, all bool) address {
	var addr netip.Addr
	if at, err := netip.ParseAddrPort(remote); err == nil {
		addr = at.Addr().Unmap()
	} else if at, err := netip.ParseAddr(strings.Trim(remote, "[]")); err == nil {
		addr = at.Unmap()
	} else {
		return notCounted
	}
	if !all && (addr.IsPrivate() || addr.IsLoopback() || addr.IsLinkLocalUnicast() || sharedSpace.Contains(addr)) {
		return notCounted
	}
	if addr.Is4() {
		ip := addr.As4()
		return 0x2002<<48 | address(binary.BigEndian.Uint32(ip[:]))<<16
	}
	ip := addr.As16()
	return address(binary.BigEndian.Uint64(ip[:8]))
}
