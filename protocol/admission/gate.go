package admission

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wye-go/wye/internal/logs"
	"github.com/wye-go/wye/protocol"
)

// Gate lets the connections of one protocol server in. Make it with [New]. All methods
// are safe for concurrent use. None calls user code with a lock held; CheckRequest, Client
// and Enter may log.
type Gate struct {
	name     string // of the options
	origins  *origins
	hosts    hosts
	proxies  []netip.Prefix
	capacity Capacity
	countAll bool // private addresses too
	logger   *slog.Logger
	warnings logs.Limiter
	counters counters

	isClosing atomic.Bool // as mu.closing: CheckRequest needs no lock

	mu struct {
		sync.Mutex
		conns     map[*protocol.Conn]entry
		opening   int             // of conns, those that are not answered yet
		addresses map[address]int // how many of conns they have
		throttle  throttle
		closing   bool
		shutdown  ShutdownOptions // if closing
		empty     chan struct{}   // if closing; closed when conns is empty
	}
}

// entry is what a gate knows of a connection.
type entry struct {
	from    address
	opening bool // the handshake is not answered yet
}

// New returns a gate. o may be nil; it is copied. New panics if an entry of o.Origins,
// o.Hosts or o.TrustedProxies can match nothing.
func New(o *Options) *Gate {
	if o == nil {
		o = &Options{}
	}
	g := &Gate{
		name:     cmp.Or(o.Name, "admission.Options"),
		proxies:  slices.Clone(o.TrustedProxies),
		capacity: o.Capacity.withDefaults(),
		countAll: o.Capacity.ConnsPerAddress > 0,
		logger:   cmp.Or(o.Logger, slog.Default()),
		warnings: logs.Limiter{Burst: 1},
	}
	g.origins, g.hosts = newOrigins(g.name, o), newHosts(g.name, o)
	for _, p := range g.proxies {
		if !p.IsValid() || p.Addr().Is4In6() {
			panic(fmt.Sprintf("wye: %s.TrustedProxies: %v can match nothing; "+
				`write networks of IPv4 as netip.MustParsePrefix("10.0.0.0/8")`, g.name, p))
		}
	}
	g.mu.conns = make(map[*protocol.Conn]entry)
	g.mu.addresses = make(map[address]int)
	g.mu.throttle = newThrottle(&g.capacity)
	return g
}

// peerAttr is the attribute of log lines that holds a client's address.
const peerAttr = "peer"

// warn logs the first line about subject in a while. attrs is called only then.
func (g *Gate) warn(subject, msg string, attrs func() []any) {
	g.warnings.Log(g.logger, slog.LevelWarn, subject, msg, attrs)
}

// Client returns the client of r, as [ClientOf] does with Options.TrustedProxies. A protocol
// sets Scope.RemoteAddr to the client's.
func (g *Gate) Client(r *http.Request) Client {
	client := ClientOf(r, g.proxies)
	if client.Suspect {
		g.warn("proxy", "wye: the client's address was not believed, because a trusted proxy passed on headers that "+
			"contradict each other or are malformed; have the proxy replace X-Forwarded-For and remove Forwarded", func() []any {
			return []any{
				"x_forwarded_for", logs.Cut(strings.Join(r.Header["X-Forwarded-For"], ", ")),
				"forwarded", logs.Cut(strings.Join(r.Header["Forwarded"], ", ")), "proxy", logs.Cut(r.RemoteAddr),
			}
		})
	}
	return client
}

// CheckRequest returns nil if r is for a host that is served, comes from a page that may
// connect, and the gate is not shutting down. Otherwise it returns the answer: 421, 403 or
// 503. client is what Client returned for r.
//
// A protocol whose connections outlive their requests, such as long polling, calls it for
// each request.
func (g *Gate) CheckRequest(r *http.Request, client Client) *protocol.RejectError {
	if e := g.hosts.check(r); e != nil {
		g.counters.misdirected.Add(1)
		g.warn("host", "wye: a request was refused because its host is not in "+g.name+".Hosts; Stats counts such requests",
			func() []any { return []any{"why", e.Body, peerAttr, logs.Cut(client.RemoteAddr)} })
		return e
	}
	if e := g.origins.check(r, client.Scheme == schemeHTTPS); e != nil {
		g.counters.forbidden.Add(1)
		g.warn("origin", "wye: a request was refused because of its origin; Stats counts such requests",
			func() []any { return []any{"why", e.Body, peerAttr, logs.Cut(client.RemoteAddr)} })
		return e
	}
	if !g.isClosing.Load() { // Enter makes sure
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.checkClosingLocked()
}

func (g *Gate) checkClosingLocked() *protocol.RejectError {
	if !g.mu.closing {
		return nil
	}
	g.counters.shuttingDown.Add(1)
	return g.mu.shutdown.Refusal()
}

// Enter lets c in, or returns the answer that refuses it: 503 or 429, with Retry-After. It
// is called once for a connection, before [protocol.Session.Open], and from then on c
// counts, and Shutdown may close it. client is what Client returned for its request.
//
// The protocol calls Answered when it has answered the handshake, or will not, and Leave
// when the connection has closed and its resources are released.
func (g *Gate) Enter(c *protocol.Conn, client Client) *protocol.RejectError {
	from := addressOf(client.RemoteAddr, g.countAll || client.Suspect)
	g.mu.Lock()
	if e := g.checkClosingLocked(); e != nil {
		g.mu.Unlock()
		return e
	}
	reached := g.boundReachedLocked(from)
	if reached == nil {
		g.mu.conns[c] = entry{from: from, opening: true}
		g.mu.opening++
		if from != notCounted {
			g.mu.addresses[from]++
		}
	}
	g.mu.Unlock()
	if reached == nil {
		return nil
	}
	reached.counter.Add(1)
	g.warn(reached.field, "wye: connections were refused because "+g.name+".Capacity is reached; Stats counts them",
		func() []any {
			return []any{"bound", reached.field, "value", reached.value, peerAttr, logs.Cut(client.RemoteAddr)}
		})
	return protocol.AsRejectError(protocol.NewRejectError(reached.status, reached.body).RetryAfter(reached.retryAfter))
}

// bound is one of Capacity, and how a connection is refused because of it.
type bound struct {
	field      string
	value      int
	counter    *atomic.Int64
	status     int
	body       string
	retryAfter time.Duration
}

// boundReachedLocked returns the first bound that leaves no room for a connection from an
// address, or nil.
func (g *Gate) boundReachedLocked(from address) *bound {
	c, n := &g.capacity, &g.counters
	const unavailable = http.StatusServiceUnavailable
	switch {
	case len(g.mu.conns) >= c.Conns:
		return &bound{"Conns", c.Conns, &n.full, unavailable, "there are too many connections", 5 * time.Second}
	case g.mu.opening >= c.Handshakes:
		return &bound{"Handshakes", c.Handshakes, &n.full, unavailable, "too many connections are being opened", time.Second}
	case g.mu.addresses[from] >= c.ConnsPerAddress:
		return &bound{
			"ConnsPerAddress", c.ConnsPerAddress, &n.addressFull,
			http.StatusTooManyRequests, "there are too many connections from your address", 5 * time.Second,
		}
	}
	if c.HandshakesPerSecond == 0 {
		return nil // without a look at the clock
	}
	if wait := g.mu.throttle.admit(time.Now()); wait > 0 {
		return &bound{
			"HandshakesPerSecond", c.HandshakesPerSecond, &n.rateLimited,
			unavailable, "too many connections were opened in a short time", wait,
		}
	}
	return nil
}

// Answered tells the gate that the handshake of c is answered, or will not be: c no longer
// counts for Capacity.Handshakes. Later calls, and calls for a connection that is not in
// the gate, have no effect.
func (g *Gate) Answered(c *protocol.Conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if e := g.mu.conns[c]; e.opening {
		g.mu.conns[c] = entry{from: e.from}
		g.mu.opening--
	}
}

// Leave removes c from the gate. The protocol calls it when Disconnect of c has returned and
// its resources are released, for example in a function given to [protocol.Conn.Defer].
// Later calls, and calls for a connection that is not in the gate, have no effect.
func (g *Gate) Leave(c *protocol.Conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	e, entered := g.mu.conns[c]
	if !entered {
		return
	}
	delete(g.mu.conns, c)
	if e.opening {
		g.mu.opening--
	}
	if e.from != notCounted {
		g.mu.addresses[e.from]--
		if g.mu.addresses[e.from] <= 0 {
			delete(g.mu.addresses, e.from)
		}
	}
	if g.mu.closing && len(g.mu.conns) == 0 {
		close(g.mu.empty)
	}
}

// Shutdown refuses new connections with 503 and Retry-After, and closes those in the gate,
// spread over time as by [CloseAll]. It returns nil when all have left, or ctx's cause when
// ctx is done. Later calls wait as well; their o changes only the refusal of new
// connections.
func (g *Gate) Shutdown(ctx context.Context, o ShutdownOptions) error {
	conns, empty := g.startShutdown(o)
	return CloseAll(ctx, conns, empty, o)
}

// startShutdown refuses new connections, and returns those in the gate and a channel that
// is closed when all of them have left.
func (g *Gate) startShutdown(o ShutdownOptions) (conns []*protocol.Conn, empty <-chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.mu.closing {
		g.mu.closing = true
		g.isClosing.Store(true)
		g.mu.empty = make(chan struct{})
		if len(g.mu.conns) == 0 {
			close(g.mu.empty)
		}
	}
	g.mu.shutdown = o
	return slices.Collect(maps.Keys(g.mu.conns)), g.mu.empty
}

// Stats returns the counters as they are now.
func (g *Gate) Stats() Stats {
	g.mu.Lock()
	s := Stats{Conns: len(g.mu.conns), Handshakes: g.mu.opening, Addresses: len(g.mu.addresses)}
	g.mu.Unlock()
	c := &g.counters
	s.Misdirected, s.Forbidden, s.ShuttingDown = c.misdirected.Load(), c.forbidden.Load(), c.shuttingDown.Load()
	s.Full, s.AddressFull, s.RateLimited = c.full.Load(), c.addressFull.Load(), c.rateLimited.Load()
	return s
}
