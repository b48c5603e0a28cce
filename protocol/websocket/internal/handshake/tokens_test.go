package handshake

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol/websocket/internal/handshaketest"
)

const listed = "X-List"

// scan returns the tokens of a list.
func scan(lines ...string) (found []string, ok bool) {
	ok = scanTokens(http.Header{listed: lines}, listed, func(b []byte) bool {
		found = append(found, string(b))
		return true
	})
	return found, ok
}

func TestTokens(t *testing.T) {
	t.Parallel()
	rows := []struct {
		at    testkit.Line
		lines []string
		want  []string
		ok    bool
	}{
		{testkit.Here(), nil, nil, true},
		{testkit.Here(), []string{""}, nil, true},
		{testkit.Here(), []string{" \t"}, nil, true},
		{testkit.Here(), []string{","}, nil, true},
		{testkit.Here(), []string{"a"}, []string{"a"}, true},
		{testkit.Here(), []string{"a,b"}, []string{"a", "b"}, true},
		{testkit.Here(), []string{"a, b ,c"}, []string{"a", "b", "c"}, true},
		{testkit.Here(), []string{"a,\tb"}, []string{"a", "b"}, true},
		{testkit.Here(), []string{"\ta\t,\t\tb\t"}, []string{"a", "b"}, true},
		{testkit.Here(), []string{",a,,b,"}, []string{"a", "b"}, true},
		{testkit.Here(), []string{"a", "b, c"}, []string{"a", "b", "c"}, true},
		{testkit.Here(), []string{"a", "", "b"}, []string{"a", "b"}, true},
		{testkit.Here(), []string{"!#$%&'*+-.^_`|~09azAZ"}, []string{"!#$%&'*+-.^_`|~09azAZ"}, true},
		{testkit.Here(), []string{`"a"`}, nil, false},
		{testkit.Here(), []string{"a;b"}, nil, false},
		{testkit.Here(), []string{"a=b"}, nil, false},
		{testkit.Here(), []string{"a/1"}, nil, false},
		{testkit.Here(), []string{"(a)"}, nil, false},
		{testkit.Here(), []string{`a\`}, nil, false},
		{testkit.Here(), []string{"a, é"}, nil, false},
		{testkit.Here(), []string{"a\x00"}, nil, false},
		{testkit.Here(), []string{"a", "b;"}, nil, false},
		{testkit.Here(), []string{"a b"}, nil, false},
		{testkit.Here(), []string{"a\tb"}, nil, false},
	}
	for _, row := range rows {
		got, ok := scan(row.lines...)
		if ok != row.ok || ok && !slices.Equal(got, row.want) {
			t.Errorf("%s: tokens of %q: got %q, %v, want %q, %v", row.at, row.lines, got, ok, row.want, row.ok)
		}
	}
}

func TestHasToken(t *testing.T) {
	t.Parallel()
	rows := []struct {
		at    testkit.Line
		lines []string
		want  bool
	}{
		{testkit.Here(), []string{"upgrade"}, true},
		{testkit.Here(), []string{"UPGRADE"}, true},
		{testkit.Here(), []string{"keep-alive,\tUpgrade"}, true},
		{testkit.Here(), []string{"keep-alive", "Upgrade"}, true},
		{testkit.Here(), []string{"", "Upgrade"}, true},
		{testkit.Here(), nil, false},
		{testkit.Here(), []string{""}, false},
		{testkit.Here(), []string{"upgrades"}, false},
		{testkit.Here(), []string{"up-grade"}, false},
		{testkit.Here(), []string{`"upgrade"`}, false},
		{testkit.Here(), []string{"keep-alive upgrade"}, false},
		{testkit.Here(), []string{"upgrade keep-alive"}, false},
	}
	for _, row := range rows {
		if got := hasToken(http.Header{listed: row.lines}, listed, "Upgrade"); got != row.want {
			t.Errorf("%s: Upgrade in %q: got %v, want %v", row.at, row.lines, got, row.want)
		}
	}
}

// FuzzTokens compares the scanner with the grammar of lists. net/http has refused line
// breaks in headers.
func FuzzTokens(f *testing.F) {
	for _, seed := range []string{"", "a", "a,b", "keep-alive, Upgrade", "a,\tb", ",,", "a b", `"a,b"`, `a\`, "(a(b))", "a;q=1", "\x7f", "é", "x\x00"} {
		f.Add(seed, "")
		f.Add("first", seed)
	}
	f.Fuzz(func(t *testing.T, one, two string) {
		if strings.ContainsAny(one+two, "\r\n") {
			t.Skip("no header value")
		}
		lines := []string{one, two}
		got, ok := scan(lines...)
		want, wantOK := handshaketest.SplitTokens(lines)
		if ok != wantOK || ok && !slices.Equal(got, want) {
			t.Fatalf("tokens of %q: got %q, %v, want %q, %v", lines, got, ok, want, wantOK)
		}
	})
}
