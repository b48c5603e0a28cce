package forwarded_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol/internal/forwarded"
)

// trusted returns the networks of the tests' proxies.
func trusted() []netip.Prefix {
	return []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128")}
}

// TestRead has a row for each decision; what addresses may look like is in the tests of
// admission.ClientOf.
func TestRead(t *testing.T) {
	t.Parallel()
	lines := func(s ...string) []string { return s }
	for _, row := range []struct {
		at           testkit.Line
		h            forwarded.Header
		addr, scheme string
		ok           bool
	}{
		{testkit.Here(), forwarded.Header{}, "invalid AddrPort", "", true},
		{testkit.Here(), forwarded.Header{For: lines("192.0.2.1, 10.0.0.1")}, "192.0.2.1:0", "", true},
		{testkit.Here(), forwarded.Header{For: lines("203.0.113.9", "192.0.2.1:5, 10.0.0.1")}, "192.0.2.1:5", "", true},
		{testkit.Here(), forwarded.Header{For: lines("10.0.0.2, 10.0.0.1")}, "10.0.0.2:0", "", true}, // all are trusted
		{testkit.Here(), forwarded.Header{For: lines("192.0.2.1, unknown, 10.0.0.1")}, "10.0.0.1:0", "", true},
		{testkit.Here(), forwarded.Header{Forwarded: lines(`for="[::1]:7";proto=HTTPS`)}, "[::1]:7", "https", true},
		{testkit.Here(), forwarded.Header{Forwarded: lines(`for=192.0.2.1, for="`)}, "invalid AddrPort", "", false},
		{testkit.Here(), forwarded.Header{For: lines("192.0.2.1"), Forwarded: lines("for=192.0.2.1:9")}, "192.0.2.1:0", "", true},
		{testkit.Here(), forwarded.Header{For: lines("192.0.2.1"), Forwarded: lines("for=192.0.2.2")}, "192.0.2.1:0", "", false},
		{testkit.Here(), forwarded.Header{Proto: lines("https, http")}, "invalid AddrPort", "http", true},
		{testkit.Here(), forwarded.Header{Forwarded: lines("for=192.0.2.1;proto=https"), Proto: lines("http")}, "192.0.2.1:0", "https", true},
		{testkit.Here(), forwarded.Header{Proto: lines("gopher")}, "invalid AddrPort", "", true},
	} {
		client, ok := forwarded.Read(trusted(), row.h)
		if client.Addr.String() != row.addr || client.Scheme != row.scheme || ok != row.ok {
			t.Errorf("%s: %+v, %t", row.at, client, ok)
		}
	}
}

// FuzzRead: whatever headers hold, the client's address is one that networks contain, and
// the scheme is one of two.
func FuzzRead(f *testing.F) {
	f.Add("192.0.2.1, 10.0.0.1", `for="[2001:db8::1]:4711";proto=https`, "http")
	f.Add("fe80::1%eth0", `for=_hidden;by="a\"b", for=unknown`, "wss")
	f.Add("::ffff:192.0.2.1", `for="`, "")
	f.Fuzz(func(t *testing.T, plain, standard, proto string) {
		split := func(s string) []string { return strings.Split(s, "\n") }
		client, _ := forwarded.Read(trusted(), forwarded.Header{For: split(plain), Forwarded: split(standard), Proto: split(proto)})
		if a := client.Addr.Addr(); a.Zone() != "" || a.Is4In6() {
			t.Errorf("the client is %v", client.Addr)
		}
		if client.Scheme != "" && client.Scheme != "http" && client.Scheme != "https" {
			t.Errorf("the scheme is %q", client.Scheme)
		}
	})
}
