package websocket

import (
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"github.com/wye-go/wye/internal/logs"
	"github.com/wye-go/wye/internal/rate"
	"github.com/wye-go/wye/protocol"
)

// peerAttr is the attribute of log lines that names a client's address.
const peerAttr = "peer"

// noRoom is why a connection is not let in.
type noRoom struct {
	refusal *protocol.RejectError
	counter *atomic.Int64 // that counts it
	bound   string        // field of Capacity that is reached, if it is one
	value   int           // of it
}

// enter takes note of a connection, from before its handshake is answered until
// session, socket and reading are over. It refuses those for which there is no
// room.
func (s *Server) enter(c *conn) *protocol.RejectError {
	s.mu.Lock()
	why := s.noRoomLocked(c)
	if why == nil {
		s.addLocked(c)
	}
	s.mu.Unlock()
	if why == nil {
		return nil
	}
	why.counter.Add(1)
	if why.bound != "" {
		s.warnings.Log(s.opts.Logger, slog.LevelWarn, why.bound,
			"wye: connections were refused because websocket.Options.Capacity is reached; Stats counts them",
			func() []any { return []any{"bound", why.bound, "value", why.value, peerAttr, logs.Cut(c.peer)} })
	}
	return why.refusal
}

func (s *Server) noRoomLocked(c *conn) *noRoom {
	room, stats := &s.opts.Capacity, &s.stats
	const unavailable = http.StatusServiceUnavailable
	switch {
	case s.mu.closing:
		return &noRoom{s.mu.shutdown.Refusal(), &stats.shuttingDown, "", 0}
	case s.mu.conns.Len() >= room.Conns:
		return &noRoom{retry(unavailable, "there are too many connections", 5*time.Second), &stats.full, "Conns", room.Conns}
	case s.mu.handshakes >= room.Handshakes:
		return &noRoom{retry(unavailable, "too many connections are being opened", time.Second), &stats.full, "Handshakes", room.Handshakes}
	case c.addr.IsValid() && s.mu.addresses[c.addr] >= room.ConnsPerAddress:
		return &noRoom{
			retry(http.StatusTooManyRequests, "there are too many connections from your address", 5*time.Second),
			&stats.crowded, "ConnsPerAddress", room.ConnsPerAddress,
		}
	case s.mu.admissions.PerSecond > 0:
		if wait := s.mu.admissions.admit(time.Now()); wait > 0 {
			return &noRoom{
				retry(unavailable, "too many connections were opened in a short time", wait),
				&stats.rateLimited, "HandshakesPerSecond", room.HandshakesPerSecond,
			}
		}
	}
	return nil
}

// retry makes the refusal of a peer that may come back.
func retry(status int, body string, after time.Duration) *protocol.RejectError {
	return protocol.Rejection(protocol.RejectAndRetry(status, body, after))
}

// admissions bounds how many handshakes are let in per second. Those that are not
// are told to come back when it would be their turn, if all that were refused came
// back: they are admitted at the rate, and do not try in vain. It has no clock and
// no lock.
type admissions struct {
	rate.Bucket
	refused rate.Bucket // what is missing are those that may come back
}

// maxWait bounds what a peer is told. Peers that are told more are spread over it.
const maxWait = time.Minute

func newAdmissions(c *Capacity) (a admissions) {
	a.PerSecond, a.Burst = float64(c.HandshakesPerSecond), float64(c.HandshakeBurst)
	a.refused = rate.Bucket{PerSecond: a.PerSecond, Burst: a.PerSecond * maxWait.Seconds()}
	return a
}

// admit returns 0 for a handshake that is let in, or how long its peer should wait.
func (a *admissions) admit(now time.Time) (wait time.Duration) {
	if a.Take(now, 1) {
		return 0
	}
	a.refused.Take(now, 1)
	return time.Duration(a.refused.Missing(now) / a.PerSecond * float64(time.Second))
}

func (s *Server) addLocked(c *conn) {
	s.mu.conns.Add(c)
	s.mu.handshakes++
	if c.addr.IsValid() {
		s.mu.addresses[c.addr]++
	}
	s.tickLocked()
}

// decided takes note that a handshake is answered, or will be no more.
func (s *Server) decided(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !c.decided {
		c.decided = true
		s.mu.handshakes--
	}
}

// forget is the end of a connection that has entered.
func (s *Server) forget(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.conns.Remove(c)
	if c.addr.IsValid() {
		s.mu.addresses[c.addr]--
		if s.mu.addresses[c.addr] == 0 {
			delete(s.mu.addresses, c.addr)
		}
	}
	if s.mu.conns.Len() == 0 && s.mu.empty != nil {
		close(s.mu.empty)
		s.mu.empty = nil
	}
}

// sharedSpace is used inside of providers and clusters (RFC 6598).
//
//nolint:gochecknoglobals // a constant
var sharedSpace = netip.MustParsePrefix("100.64.0.0/10")

// countedAddress is what Capacity.ConnsPerAddress counts a peer under: its
// address, or the /64 that one customer has in IPv6. It is invalid for peers
// that are not counted: those without an address, and, unless all are, those in
// networks where proxies are.
func countedAddress(remote string, all bool) netip.Addr {
	addr, err := netip.ParseAddr(strings.Trim(remote, "[]"))
	if at, e := netip.ParseAddrPort(remote); e == nil {
		addr, err = at.Addr(), nil
	}
	if err != nil {
		return netip.Addr{}
	}
	addr = addr.Unmap().WithZone("")
	if !all && (addr.IsPrivate() || addr.IsLoopback() || addr.IsLinkLocalUnicast() || sharedSpace.Contains(addr)) {
		return netip.Addr{}
	}
	if addr.Is6() {
		net, _ := addr.Prefix(64) //nolint:errcheck // 64 fits
		return net.Addr()
	}
	return addr
}
