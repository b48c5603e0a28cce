package admission

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol"
)

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// TestCapacityDefaults pins the numbers that the documentation names.
func TestCapacityDefaults(t *testing.T) {
	t.Parallel()
	want := Capacity{Conns: 100_000, ConnsPerAddress: 10_000, Handshakes: 4096}
	for _, c := range []Capacity{{}, {-1, -1, -1, -1, -1}} {
		if got := c.withDefaults(); got != want {
			t.Errorf("%+v means %+v, want %+v", c, got, want)
		}
	}
	if got := (Capacity{HandshakesPerSecond: 7}).withDefaults(); got.HandshakeBurst != 7 {
		t.Errorf("the burst of 7 per second is %d", got.HandshakeBurst)
	}
	if own := (Capacity{1, 2, 3, 4, 5}); own.withDefaults() != own {
		t.Errorf("own values are changed to %+v", own.withDefaults())
	}
}

// TestCapacityDefaultsAreReached fills a gate with the default capacity, but for one place
// or none, and tries to enter.
func TestCapacityDefaultsAreReached(t *testing.T) {
	t.Parallel()
	client := Client{RemoteAddr: "203.0.113.1:1234"}
	fill := func(g *Gate, n int, opening bool, from func(i int) address) {
		for i := range n {
			c := new(protocol.Conn)
			g.mu.conns[c] = entry{from: from(i), opening: opening}
			g.mu.addresses[from(i)]++
			if opening {
				g.mu.opening++
			}
		}
	}
	other := func(i int) address { return address(i) }
	same := func(int) address { return addressOf(client.RemoteAddr, false) }
	rows := []struct {
		at     testkit.Line
		fill   func(g *Gate, one int)
		status int
		count  func(Stats) int64
	}{
		{testkit.Here(), func(g *Gate, one int) { fill(g, 100_000-one, false, other) }, 503, func(s Stats) int64 { return s.Full }},
		{testkit.Here(), func(g *Gate, one int) { fill(g, 4096-one, true, other) }, 503, func(s Stats) int64 { return s.Full }},
		{testkit.Here(), func(g *Gate, one int) { fill(g, 10_000-one, false, same) }, 429, func(s Stats) int64 { return s.AddressFull }},
	}
	for _, row := range rows {
		for one := range 2 {
			g := New(&Options{Logger: quiet()})
			row.fill(g, one)
			e := g.Enter(new(protocol.Conn), client)
			if refused := int64(1 - one); (e != nil) != (one == 0) || row.count(g.Stats()) != refused {
				t.Errorf("%s: with room for %d: %v, and %d counted", row.at, one, e, row.count(g.Stats()))
			}
			if e != nil && (e.Status != row.status || e.Header.Get("Retry-After") == "") {
				t.Errorf("%s: %+v, want %d with Retry-After", row.at, e, row.status)
			}
		}
	}
}

// TestSuspectClientsAreCounted bounds clients that make headers up also where their proxy
// is not counted, because it is in a private network.
func TestSuspectClientsAreCounted(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		at              testkit.Line
		plain, standard string
		counted         bool
	}{
		{testkit.Here(), "10.0.0.1", "for=10.0.0.1", false},
		{testkit.Here(), "203.0.113.7", "for=203.0.113.7", true},
		{testkit.Here(), "203.0.113.7", "for=192.0.2.1", true},
		{testkit.Here(), "203.0.113.7", `for="`, true},
	} {
		g := New(&Options{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, Logger: quiet()})
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.RemoteAddr = "10.0.0.1:4000"
		r.Header.Set("X-Forwarded-For", row.plain)
		r.Header.Set("Forwarded", row.standard)
		if e := g.Enter(new(protocol.Conn), g.Client(r)); e != nil {
			t.Errorf("%s: %v", row.at, e)
		}
		if n := g.Stats().Addresses; n == 1 != row.counted {
			t.Errorf("%s: %d addresses are counted, want one: %t", row.at, n, row.counted)
		}
	}
}

// TestAddressOf has the addresses that are counted, and which of them are the same.
func TestAddressOf(t *testing.T) {
	t.Parallel()
	rows := []struct {
		at      testkit.Line
		remote  string
		counted bool // by default
		all     bool // if all are
	}{
		{testkit.Here(), "203.0.113.1:1", true, true},
		{testkit.Here(), "203.0.113.1", true, true}, // middleware takes ports away
		{testkit.Here(), "[2001:db8::1]:1", true, true},
		{testkit.Here(), "[2001:db8::1]", true, true},
		{testkit.Here(), "::", true, true},
		{testkit.Here(), "0.0.0.0", true, true},
		{testkit.Here(), "172.32.0.1:1", true, true},
		{testkit.Here(), "100.128.0.1:1", true, true},
		{testkit.Here(), "127.0.0.1:1", false, true},
		{testkit.Here(), "[::1]:1", false, true},
		{testkit.Here(), "[::ffff:127.0.0.1]:1", false, true},
		{testkit.Here(), "10.1.2.3:1", false, true},
		{testkit.Here(), "172.16.0.1:1", false, true},
		{testkit.Here(), "192.168.0.1", false, true},
		{testkit.Here(), "169.254.0.1:1", false, true},
		{testkit.Here(), "100.64.0.1:1", false, true},
		{testkit.Here(), "[fd00::1]:1", false, true},
		{testkit.Here(), "[fe80::1%eth0]:1", false, true},
		{testkit.Here(), "@", false, false}, // a Unix socket
		{testkit.Here(), "", false, false},
		{testkit.Here(), "proxy.internal:80", false, false},
		{testkit.Here(), "203.0.113.1:1:2", false, false},
	}
	for _, row := range rows {
		for all, want := range map[bool]bool{false: row.counted, true: row.all} {
			if got := addressOf(row.remote, all) != notCounted; got != want {
				t.Errorf("%s: %q is counted: %t, want %t; all are: %t", row.at, row.remote, got, want, all)
			}
		}
	}
	pairs := []struct {
		at   testkit.Line
		a, b string
		same bool
	}{
		{testkit.Here(), "203.0.113.1:1", "203.0.113.1:2", true},
		{testkit.Here(), "203.0.113.1:1", "203.0.113.2:1", false},
		{testkit.Here(), "203.0.113.1:1", "203.0.113.1", true},
		{testkit.Here(), "203.0.113.1:1", "[::ffff:203.0.113.1]:2", true},
		{testkit.Here(), "::ffff:203.0.113.1", "[::ffff:cb00:7101]", true},
		{testkit.Here(), "[2001:db8::1]:1", "[2001:db8::2]:2", true},
		{testkit.Here(), "[2001:db8::1]:1", "2001:db8:0:0:ffff::", true},
		{testkit.Here(), "[2001:db8::1]:1", "[2001:db8:0:1::1]:1", false},
		{testkit.Here(), "[fe80::1%eth0]:1", "[fe80::2%eth1]:1", true},
		{testkit.Here(), "127.0.0.1:1", "127.0.0.1:2", true},
		{testkit.Here(), "127.0.0.1:1", "127.0.0.2:1", false},
		{testkit.Here(), "10.0.0.1:1", "10.0.0.1:2", true},
		{testkit.Here(), "[fd00::1]:1", "[fd00::1]:2", true},
		{testkit.Here(), "[::1]:1", "[::1]:2", true},
		{testkit.Here(), "0.0.0.0", "::", false},
	}
	for _, row := range pairs {
		if got := addressOf(row.a, true) == addressOf(row.b, true); got != row.same {
			t.Errorf("%s: %q and %q are the same: %t", row.at, row.a, row.b, got)
		}
	}
}

// TestCountsAllWithABoundOfOnesOwn: by default private addresses are not counted.
func TestCountsAllWithABoundOfOnesOwn(t *testing.T) {
	t.Parallel()
	for limit, want := range map[int]int{0: 0, -1: 0, 5: 1} {
		g := New(&Options{Capacity: Capacity{ConnsPerAddress: limit}})
		if e := g.Enter(new(protocol.Conn), Client{RemoteAddr: "10.0.0.1:1"}); e != nil || g.Stats().Addresses != want {
			t.Errorf("with a bound of %d: %v, %d addresses, want %d", limit, e, g.Stats().Addresses, want)
		}
	}
}

// TestLeaveAndAnsweredOnce: whatever is called twice, or for a connection that has not
// entered, changes nothing.
func TestLeaveAndAnsweredOnce(t *testing.T) {
	t.Parallel()
	g := New(&Options{Capacity: Capacity{Conns: 2, ConnsPerAddress: 2}, Logger: quiet()})
	a, b, other := new(protocol.Conn), protocol.NewSession(t.Context(), nil, nil, nil, nil).Conn(), protocol.NewSession(t.Context(), nil, nil, nil, nil).Conn()
	client := Client{RemoteAddr: "203.0.113.1:1"}
	check := func(what string, conns, handshakes, addresses int) {
		t.Helper()
		if s := g.Stats(); s.Conns != conns || s.Handshakes != handshakes || s.Addresses != addresses {
			t.Errorf("%s: %+v, want %d connections, %d handshakes, %d addresses", what, s, conns, handshakes, addresses)
		}
	}
	enter := func(c *protocol.Conn, in bool) {
		t.Helper()
		if e := g.Enter(c, client); (e == nil) != in {
			t.Errorf("Enter: %v, want it in: %t", e, in)
		}
	}
	enter(a, true)
	enter(b, true)
	enter(other, false)
	check("two are in", 2, 2, 1)
	for range 2 {
		g.Answered(a)
		g.Answered(other)
		g.Leave(other)
		check("one is answered", 2, 1, 1)
	}
	for range 2 {
		g.Leave(b) // without an answer
		g.Answered(b)
		check("one has left", 1, 0, 1)
	}
	g.Leave(a)
	check("all have left", 0, 0, 0)
	enter(other, true)
	check("another one is in", 1, 1, 1)
}

// TestAllocEnter makes sure that nothing is allocated in a gate that has had as many connections before.
func TestAllocEnter(t *testing.T) {
	if testkit.Race {
		t.Skip("the race detector allocates")
	}
	g, c, client := New(nil), new(protocol.Conn), Client{RemoteAddr: "203.0.113.1:1"}
	if n := testing.AllocsPerRun(100, func() {
		if e := g.Enter(c, client); e != nil {
			t.Error(e)
		}
		g.Answered(c)
		g.Leave(c)
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestCheckRequestOrder mends one fault after the other: what is left decides.
func TestCheckRequestOrder(t *testing.T) {
	t.Parallel()
	log := &bytes.Buffer{}
	g := New(&Options{Name: optionsName, Hosts: []string{"example.com"}, Logger: slog.New(slog.NewTextHandler(log, nil))})
	if err := g.Shutdown(t.Context(), ShutdownOptions{}); err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://example.org/", nil)
	r.RemoteAddr = strings.Repeat("x", 1000)
	r.Header.Set("Origin", "https://evil.example")
	for _, step := range []struct {
		mend   func()
		status int
	}{
		{func() {}, 421},
		{func() { r.Host = "example.com" }, 403},
		{func() { r.Header.Del("Origin") }, 503},
	} {
		step.mend()
		for range 2 {
			if e := g.CheckRequest(r, g.Client(r)); e == nil || e.Status != step.status || e.Body == "" {
				t.Errorf("%+v, want %d", e, step.status)
			}
		}
	}
	if s, want := g.Stats(), (Stats{Misdirected: 2, Forbidden: 2, ShuttingDown: 2}); s != want {
		t.Errorf("%+v, want %+v", s, want)
	}
	for _, line := range []string{"refused because its host is not in test.Options.Hosts", "refused because of its origin"} {
		if n := strings.Count(log.String(), line); n != 1 {
			t.Errorf("%d lines %q, want one", n, line)
		}
	}
	if strings.Contains(log.String(), r.RemoteAddr) {
		t.Error("a long address is logged whole")
	}
}

// TestFetchSite is about requests without an Origin header.
func TestFetchSite(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		at            testkit.Line
		site, upgrade string
		any, allowed  bool
	}{
		{testkit.Here(), "", "", false, true}, // not a browser
		{testkit.Here(), "same-origin", "", false, true},
		{testkit.Here(), "none", "", false, true}, // the user typed the address
		{testkit.Here(), "same-site", "", false, false},
		{testkit.Here(), "cross-site", "", false, false},
		{testkit.Here(), "unheard-of", "", false, false},
		{testkit.Here(), "cross-site", "", true, true},
		{testkit.Here(), "cross-site", "websocket", false, true}, // a browser sends Origin with it
	} {
		g := New(&Options{InsecureAllowAnyOrigin: row.any, Logger: quiet()})
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		for name, value := range map[string]string{"Sec-Fetch-Site": row.site, "Upgrade": row.upgrade} {
			if value != "" {
				r.Header.Set(name, value)
			}
		}
		if e := g.CheckRequest(r, g.Client(r)); (e == nil) != row.allowed || e != nil && e.Status != http.StatusForbidden {
			t.Errorf("%s: Sec-Fetch-Site %q: %v, want it allowed: %t", row.at, row.site, e, row.allowed)
		}
	}
}

// TestDefaultName: texts name the options of this package if no others are named.
func TestDefaultName(t *testing.T) {
	t.Parallel()
	defer func() {
		if text := fmt.Sprint(recover()); !strings.HasPrefix(text, "wye: admission.Options.Hosts: ") {
			t.Errorf("New panics with %q", text)
		}
	}()
	New(&Options{Hosts: []string{"*"}})
}

// silent is a transport that only reports how its connection is closed.
type silent struct{ closed chan protocol.CloseStatus }

func (silent) Accept(protocol.AcceptOptions) error   { return nil }
func (silent) Reject(*protocol.RejectError)          {}
func (silent) Send(protocol.Message) error           { return nil }
func (silent) SendPrepared(*protocol.Prepared) error { return nil }
func (s silent) Close(status protocol.CloseStatus)   { s.closed <- status }

func (s silent) session(t *testing.T) *protocol.Session {
	t.Helper()
	accepts := protocol.ApplicationFunc(func(*protocol.Scope) (protocol.Handler, error) { return handler{}, nil })
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	return protocol.NewSession(t.Context(), accepts, protocol.NewScope("test", r), s, nil)
}

type handler struct{}

func (handler) Connect(context.Context, *protocol.Conn) error                    { return nil }
func (handler) Receive(context.Context, *protocol.Conn, protocol.Message) error  { return nil }
func (handler) Event(context.Context, *protocol.Conn, *protocol.Event) error     { return nil }
func (handler) Disconnect(context.Context, *protocol.Conn, protocol.CloseStatus) {}

// TestShutdown closes what is in the gate, waits until it has left, and refuses others.
func TestShutdown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := New(nil)
		open, opening := silent{make(chan protocol.CloseStatus, 1)}.session(t), silent{}.session(t)
		for _, s := range []*protocol.Session{open, opening} {
			if e := g.Enter(s.Conn(), Client{}); e != nil {
				t.Fatal(e)
			}
		}
		open.Open()
		g.Answered(open.Conn())
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		o := ShutdownOptions{Code: 1012, RetryAfter: time.Minute}
		if err := g.Shutdown(ctx, o); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Shutdown while connections are in: %v, want a deadline", err)
		}
		if over, ok := errors.AsType[*protocol.CloseError](context.Cause(open.Conn().Context())); !ok || over.Code != o.Code {
			t.Errorf("it is closed with %v, want %v", over, o.Code)
		}
		if opening.Open() {
			t.Error("a connection that had entered was opened after the shutdown")
		}
		e := g.Enter(new(protocol.Conn), Client{})
		if after, err := strconv.Atoi(e.Header.Get("Retry-After")); err != nil || e.Status != http.StatusServiceUnavailable || after < 60 {
			t.Errorf("a new one is refused with %+v", e)
		}
		done := make(chan error, 2)
		for range cap(done) {
			go func() { done <- g.Shutdown(t.Context(), ShutdownOptions{}) }()
		}
		g.Leave(open.Conn())
		synctest.Wait()
		if len(done) > 0 {
			t.Error("Shutdown has returned although a connection is in")
		}
		g.Leave(opening.Conn())
		for range cap(done) {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		if err := g.Shutdown(t.Context(), ShutdownOptions{}); err != nil {
			t.Errorf("Shutdown of a gate that is empty: %v", err)
		}
	})
}

// TestShutdownMissesNobody has connections enter while the gate shuts down: each is
// refused or closed.
func TestShutdownMissesNobody(t *testing.T) {
	t.Parallel()
	for range 50 {
		g, start := New(nil), make(chan struct{})
		var entering sync.WaitGroup
		for range 8 {
			s := silent{make(chan protocol.CloseStatus, 1)}.session(t)
			entering.Go(func() {
				<-start
				if e := g.Enter(s.Conn(), Client{}); e != nil {
					return
				}
				s.Conn().Defer(func() { g.Leave(s.Conn()) })
				s.Open()
				g.Answered(s.Conn())
			})
		}
		close(start)
		if err := g.Shutdown(t.Context(), ShutdownOptions{}); err != nil {
			t.Error(err)
		}
		entering.Wait()
		if s := g.Stats(); s.Conns > 0 || s.Handshakes > 0 {
			t.Errorf("%+v after the shutdown", s)
		}
	}
}
