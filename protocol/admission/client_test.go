package admission_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol/admission"
)

// trusted are the proxies of the tests: 127.0.0.0/8, ::1, 10.0.0.0/8, 2001:db8:1::/48.
func trusted() (all []netip.Prefix) {
	for _, p := range []string{"127.0.0.0/8", "::1/128", "10.0.0.0/8", "2001:db8:1::/48"} {
		all = append(all, netip.MustParsePrefix(p))
	}
	return all
}

// forwarded is a request of a peer, with the headers of proxies.
func forwarded(remote string, plain, standard, proto []string) *http.Request {
	r := &http.Request{RemoteAddr: remote, Header: http.Header{}}
	for name, lines := range map[string][]string{"X-Forwarded-For": plain, "Forwarded": standard, "X-Forwarded-Proto": proto} {
		if len(lines) > 0 {
			r.Header[name] = lines
		}
	}
	return r
}

type clientRow struct {
	at      testkit.Line
	remote  string
	plain   []string // lines of X-Forwarded-For
	want    string
	suspect bool
}

func one(line string) []string { return []string{line} }

// TestClientOfPlain reads X-Forwarded-For.
func TestClientOfPlain(t *testing.T) {
	t.Parallel()
	const proxy = "127.0.0.1:4000"
	for _, row := range []clientRow{
		{testkit.Here(), proxy, nil, proxy, false},
		{testkit.Here(), proxy, one("203.0.113.7"), "203.0.113.7:0", false},
		{testkit.Here(), proxy, one("203.0.113.7:4711"), "203.0.113.7:4711", false},
		{testkit.Here(), proxy, one("2001:db8::7"), "[2001:db8::7]:0", false},
		{testkit.Here(), proxy, one("[2001:db8::7]"), "[2001:db8::7]:0", false},
		{testkit.Here(), proxy, one("[2001:db8::7]:4711"), "[2001:db8::7]:4711", false},
		{testkit.Here(), proxy, one("2001:DB8:0:0::7"), "[2001:db8::7]:0", false},
		{testkit.Here(), proxy, one("::ffff:203.0.113.7"), "203.0.113.7:0", false},
		{testkit.Here(), proxy, one("fe80::1%eth0"), "[fe80::1]:0", false},
		{testkit.Here(), proxy, one("\t203.0.113.7 "), "203.0.113.7:0", false},
		{testkit.Here(), proxy, one("198.51.100.1, 203.0.113.7"), "203.0.113.7:0", false}, // the client made the first one up
		{testkit.Here(), proxy, one("198.51.100.1, 203.0.113.7, 10.0.0.2"), "203.0.113.7:0", false},
		{testkit.Here(), proxy, one("198.51.100.1, 203.0.113.7, 10.0.0.2,10.9.9.9:80 ,[2001:db8:1::1]:1"), "203.0.113.7:0", false},
		{testkit.Here(), proxy, one("127.0.0.1, 203.0.113.7"), "203.0.113.7:0", false},
		{testkit.Here(), proxy, []string{"198.51.100.1", "203.0.113.7"}, "203.0.113.7:0", false},
		{testkit.Here(), proxy, []string{"198.51.100.1, 203.0.113.7", "10.0.0.2"}, "203.0.113.7:0", false},
		{testkit.Here(), proxy, []string{"203.0.113.7", "", "10.0.0.2, "}, "203.0.113.7:0", false},
		{testkit.Here(), proxy, one("10.0.0.3, 10.0.0.2"), "10.0.0.3:0", false}, // a client within
		{testkit.Here(), proxy, one(",,203.0.113.7,,"), "203.0.113.7:0", false},
		{testkit.Here(), proxy, one("203.0.113.7, unknown"), proxy, false},
		{testkit.Here(), proxy, one("203.0.113.7, unknown, 10.0.0.2"), "10.0.0.2:0", false},
		{testkit.Here(), proxy, one("203.0.113.7, _hidden, 10.0.0.2"), "10.0.0.2:0", false},
		{testkit.Here(), proxy, one("nonsense"), proxy, false},
		{testkit.Here(), proxy, one("203.0.113.7:99999"), proxy, false},
		{testkit.Here(), proxy, one("203.0.113.7:_x"), "203.0.113.7:0", false},
		{testkit.Here(), proxy, one("[203.0.113.7"), proxy, false},
		{testkit.Here(), proxy, one("[2001:db8::7]x"), proxy, false},
		{testkit.Here(), proxy, one("example.com"), proxy, false},
		{testkit.Here(), proxy, one(""), proxy, false},
		{testkit.Here(), "[::1]:4000", one("203.0.113.7"), "203.0.113.7:0", false},
		{testkit.Here(), "[::ffff:10.1.2.3]:4000", one("203.0.113.7"), "203.0.113.7:0", false},
		{testkit.Here(), "10.1.2.3", one("203.0.113.7"), "203.0.113.7:0", false}, // a middleware took the port away
		{testkit.Here(), "198.51.100.9:4000", one("203.0.113.7"), "198.51.100.9:4000", false},
		{testkit.Here(), "@", one("203.0.113.7"), "@", false},
		{testkit.Here(), "", one("203.0.113.7"), "", false},
	} {
		row.check(t, forwarded(row.remote, row.plain, nil, nil))
	}
}

func (row *clientRow) check(t *testing.T, r *http.Request) {
	t.Helper()
	got := admission.ClientOf(r, trusted())
	if got.RemoteAddr != row.want || got.Suspect != row.suspect {
		t.Errorf("%s: got %+v, want %s, suspect: %v", row.at, got, row.want, row.suspect)
	}
	if got := admission.ClientOf(r, nil); got.RemoteAddr != row.remote || got.Suspect || got.Scheme != "" {
		t.Errorf("%s: without trusted proxies: got %+v", row.at, got)
	}
}

// TestClientOfStandard reads Forwarded, and compares the two headers.
func TestClientOfStandard(t *testing.T) {
	t.Parallel()
	const proxy = "10.0.0.1:4000"
	for _, row := range []struct {
		clientRow
		standard []string // lines of Forwarded
	}{
		{clientRow{testkit.Here(), proxy, nil, "203.0.113.7:0", false}, one(`for=203.0.113.7`)},
		{clientRow{testkit.Here(), proxy, nil, "[2001:db8:cafe::17]:4711", false}, one(`For="[2001:db8:cafe::17]:4711"`)},
		{clientRow{testkit.Here(), proxy, nil, "203.0.113.7:0", false}, one(`for=203.0.113.7;proto=http;by=203.0.113.43`)},
		{clientRow{testkit.Here(), proxy, nil, "203.0.113.7:80", false}, one(`by=1; HOST=example.com ;for="203.0.113.7:80"`)},
		{clientRow{testkit.Here(), proxy, nil, "203.0.113.7:80", false}, one(`for=203.0.113.7:80`)}, // should be quoted
		{clientRow{testkit.Here(), proxy, nil, "[2001:db8::7]:0", false}, one(`for=[2001:db8::7]`)},
		{clientRow{testkit.Here(), proxy, nil, "203.0.113.7:0", false}, one(`for="203.0.113.7:_port"`)},
		{clientRow{testkit.Here(), proxy, nil, "[2001:db8::7]:0", false}, one(`for="[2001:db8::7]:_port"`)},
		{clientRow{testkit.Here(), proxy, nil, "203.0.113.7:0", false}, one(`for="\2\03.0.113.7"`)},
		{clientRow{testkit.Here(), proxy, nil, "203.0.113.7:0", false}, one(`for=198.51.100.1, for=203.0.113.7`)},
		{clientRow{testkit.Here(), proxy, nil, "203.0.113.7:0", false}, one(`for=198.51.100.1,for=203.0.113.7;by="a,b;c", for=10.0.0.2`)},
		{clientRow{testkit.Here(), proxy, nil, "203.0.113.7:0", false}, []string{`for=198.51.100.1`, `for=203.0.113.7`, `for=10.0.0.2`}},
		{clientRow{testkit.Here(), proxy, nil, proxy, false}, one(`for=unknown`)},
		{clientRow{testkit.Here(), proxy, nil, "10.0.0.2:0", false}, one(`for=198.51.100.1, for=_gazonk, for=10.0.0.2`)},
		{clientRow{testkit.Here(), proxy, nil, proxy, false}, one(`for="_gazonk:80"`)},
		{clientRow{testkit.Here(), proxy, nil, proxy, false}, one(`proto=https`)},
		{clientRow{testkit.Here(), proxy, nil, "203.0.113.7:0", false}, one(`, ,for=203.0.113.7, ,`)},
		{clientRow{testkit.Here(), proxy, nil, proxy, false}, one(``)},
		// What a client sends to have the proxy's element taken for a part of its own.
		{clientRow{testkit.Here(), proxy, nil, proxy, true}, one(`for="198.51.100.1, for=203.0.113.7`)},
		{clientRow{testkit.Here(), proxy, nil, proxy, true}, one(`for=198.51.100.1;by="\, for=203.0.113.7`)},
		{clientRow{testkit.Here(), proxy, nil, proxy, true}, one(`x, for=203.0.113.7`)},
		{clientRow{testkit.Here(), proxy, nil, proxy, true}, one(`for=198.51.100.1;for=203.0.113.7`)},
		{clientRow{testkit.Here(), proxy, nil, proxy, true}, one(`for=198.51.100.1 for=203.0.113.7`)},
		{clientRow{testkit.Here(), proxy, nil, proxy, true}, one(`for=198.51.100.1"`)},
		{clientRow{testkit.Here(), proxy, nil, proxy, true}, one(`for =203.0.113.7; =`)},
		{clientRow{testkit.Here(), proxy, nil, "203.0.113.7:0", false}, []string{`for="`, `for=203.0.113.7`}}, // it is not reached
		{clientRow{testkit.Here(), proxy, nil, proxy, true}, []string{`for="`, `for=10.0.0.2`}},
		// Both headers.
		{clientRow{testkit.Here(), proxy, one("203.0.113.7"), "203.0.113.7:0", false}, one(`for="203.0.113.7:80"`)},
		{clientRow{testkit.Here(), proxy, one("203.0.113.7"), proxy, true}, one(`for=198.51.100.1`)},
		{clientRow{testkit.Here(), proxy, one(""), proxy, true}, one(`for=203.0.113.7`)},
		{clientRow{testkit.Here(), proxy, one("203.0.113.7"), proxy, true}, one(`for="`)},
		{clientRow{testkit.Here(), "203.0.113.7:1", one("198.51.100.2"), "203.0.113.7:1", false}, one(`for=198.51.100.1`)},
	} {
		row.check(t, forwarded(row.remote, row.plain, row.standard, nil))
	}
}

// TestClientOfScheme is by what the client's request came.
func TestClientOfScheme(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		at              testkit.Line
		remote          string
		tls             bool
		proto, standard []string
		want            string
	}{
		{testkit.Here(), "203.0.113.7:1", false, nil, nil, ""},
		{testkit.Here(), "203.0.113.7:1", true, nil, nil, "https"},
		{testkit.Here(), "203.0.113.7:1", false, one("https"), one("for=203.0.113.7;proto=https"), ""}, // not trusted
		{testkit.Here(), "203.0.113.7:1", true, one("http"), nil, "https"},
		{testkit.Here(), "10.0.0.1:1", false, nil, nil, ""},
		{testkit.Here(), "10.0.0.1:1", true, nil, nil, "https"},
		{testkit.Here(), "10.0.0.1:1", false, one("https"), nil, "https"},
		{testkit.Here(), "10.0.0.1:1", false, one("HTTPS "), nil, "https"},
		{testkit.Here(), "10.0.0.1:1", false, one("wss"), nil, "https"},
		{testkit.Here(), "10.0.0.1:1", true, one("http"), nil, "http"},
		{testkit.Here(), "10.0.0.1:1", false, one("http, https"), nil, "https"},
		{testkit.Here(), "10.0.0.1:1", false, []string{"https", "http"}, nil, "http"},
		{testkit.Here(), "10.0.0.1:1", true, one("gopher"), nil, "https"},
		{testkit.Here(), "10.0.0.1:1", false, nil, one("for=203.0.113.7;proto=https, for=10.0.0.2;proto=http"), "https"},
		{testkit.Here(), "10.0.0.1:1", false, nil, one("for=198.51.100.1;proto=https, for=203.0.113.7;proto=http"), "http"},
		{testkit.Here(), "10.0.0.1:1", false, nil, one("for=unknown;proto=https"), "https"},
		{testkit.Here(), "10.0.0.1:1", false, one("http"), one("for=203.0.113.7;proto=https"), "https"},
	} {
		r := forwarded(row.remote, nil, row.standard, row.proto)
		if row.tls {
			r.TLS = &tls.ConnectionState{}
		}
		if got := admission.ClientOf(r, trusted()); got.Scheme != row.want {
			t.Errorf("%s: got %q, want %q", row.at, got.Scheme, row.want)
		}
	}
}

// TestClientOfUnixSocket trusts a proxy on a Unix socket as one at 127.0.0.1.
func TestClientOfUnixSocket(t *testing.T) {
	t.Parallel()
	ctx := context.WithValue(t.Context(), http.LocalAddrContextKey, &net.UnixAddr{Name: "/run/wye.sock", Net: "unix"})
	r := forwarded("@", one("203.0.113.7"), nil, nil).WithContext(ctx)
	if got := admission.ClientOf(r, trusted()); got.RemoteAddr != "203.0.113.7:0" {
		t.Errorf("got %+v", got)
	}
	local := forwarded("@", one("127.0.0.1"), nil, nil).WithContext(ctx)
	if got := admission.ClientOf(local, trusted()); got.RemoteAddr != "127.0.0.1:0" {
		t.Errorf("a client on the same machine: got %+v", got)
	}
	if got := admission.ClientOf(r, trusted()[2:]); got.RemoteAddr != "@" {
		t.Errorf("the loopback is not trusted: got %+v", got)
	}
	if got := admission.ClientOf(forwarded("@", nil, nil, nil).WithContext(ctx), trusted()); got.RemoteAddr != "@" {
		t.Errorf("without headers: got %+v", got)
	}
}

// FuzzClientOf has a client send anything to a proxy that adds its address: the
// client is not taken for another one.
func FuzzClientOf(f *testing.F) {
	for _, s := range []string{"", "198.51.100.1", "10.0.0.2, unknown,", `for=198.51.100.1;proto=https`, `for="`, `for="\`, "[::1]:80, x", `for="[::1]", by=_x`, "a=b;A=c"} {
		f.Add(s, s)
		f.Add("", s)
	}
	f.Fuzz(func(t *testing.T, plain, standard string) {
		const proxy, client = "10.0.0.1:4000", "203.0.113.7"
		for name, r := range map[string]*http.Request{
			"must: an entry":    forwarded(proxy, one(plain+","+client), nil, nil),
			"must: a line":      forwarded(proxy, []string{plain, client}, nil, nil),
			"an element":        forwarded(proxy, nil, one(standard+",for="+client), nil),
			"a line of its own": forwarded(proxy, nil, []string{standard, "for=" + client + ";proto=http"}, nil),
			"both, one added":   forwarded(proxy, one(plain+", "+client), one(standard), nil),
			"both, both added":  forwarded(proxy, one(plain+", "+client), []string{standard, "for=" + client}, nil),
		} {
			got := admission.ClientOf(r, trusted())
			believed := got.RemoteAddr == client+":0" && !got.Suspect
			if !believed && (got.RemoteAddr != proxy || !got.Suspect) || strings.HasPrefix(name, "must: ") && !believed {
				t.Errorf("%s: got %+v of %v", name, got, r.Header)
			}
		}
		// A proxy that adds nothing has the client's word believed, as far as it is one.
		got := admission.ClientOf(forwarded(proxy, one(plain), one(standard), one(plain)), trusted())
		if at, err := netip.ParseAddrPort(got.RemoteAddr); err != nil || at.Addr().Is4In6() || at.Addr().Zone() != "" {
			t.Errorf("got %+v, which is not an address: %v", got, err)
		}
	})
}

// Handlers of plain HTTP know the client in the same way.
func ExampleClientOf() {
	proxies := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8")}
	r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
	r.RemoteAddr = "127.0.0.1:52000" // nginx on this machine, behind a load balancer at 10.0.0.2
	r.Header.Set("X-Forwarded-For", "192.0.2.66, 203.0.113.7, 10.0.0.2")
	r.Header.Set("X-Forwarded-Proto", "https")
	c := admission.ClientOf(r, proxies)
	fmt.Println(c.RemoteAddr, c.Scheme)
	// Output: 203.0.113.7:0 https
}
