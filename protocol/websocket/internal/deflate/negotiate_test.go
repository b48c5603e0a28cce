package deflate

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/wye-go/wye/internal/testkit"
)

const pmd = "permessage-deflate"

// The answers that the rows below share.
const (
	neither = pmd + "; server_no_context_takeover; client_no_context_takeover"
	noOwn   = pmd + "; server_no_context_takeover"
	noPeers = pmd + "; client_no_context_takeover"
)

type negotiationRow struct {
	at     testkit.Line
	policy Policy
	lines  []string
	answer string // "": declined; malformed: refused
}

const malformed = "malformed"

func one(line string) []string { return []string{line} }

// both grants takeover in both directions.
//
//nolint:gochecknoglobals // a constant
var both = Policy{ServerTakeover: true, ClientTakeover: true}

func negotiationRows() []negotiationRow {
	none := Policy{}
	return []negotiationRow{
		// Other extensions, and none.
		{testkit.Here(), none, nil, ""},
		{testkit.Here(), none, one(""), ""},
		{testkit.Here(), none, one(" ,, "), ""},
		{testkit.Here(), none, one("x-webkit-deflate-frame"), ""},
		{testkit.Here(), none, one("permessage-bzip2; level=9"), ""},
		{testkit.Here(), none, one("permessage-deflate-x"), ""},
		{testkit.Here(), none, one("Permessage-Deflate"), ""},
		{testkit.Here(), none, one("mux; max-channels=4, " + pmd), neither},
		{testkit.Here(), none, []string{"mux", pmd}, neither},
		// What browsers and libraries send.
		{testkit.Here(), none, one(pmd + "; client_max_window_bits"), neither},
		{testkit.Here(), both, one(pmd + "; client_max_window_bits"), pmd},
		{testkit.Here(), none, one(pmd + "; server_no_context_takeover; client_no_context_takeover"), neither},
		{testkit.Here(), both, one(pmd + "; server_no_context_takeover; client_no_context_takeover"), neither},
		{testkit.Here(), both, one(pmd + ";client_max_window_bits=12;server_max_window_bits=12"),
			pmd + "; server_max_window_bits=12; client_max_window_bits=12"},
		{testkit.Here(), none, one("permessage-deflate; client_max_window_bits, x-webkit-deflate-frame; no_context_takeover"), neither},
		// Takeover.
		{testkit.Here(), none, one(pmd), neither},
		{testkit.Here(), both, one(pmd), pmd},
		{testkit.Here(), Policy{ServerTakeover: true}, one(pmd), noPeers},
		{testkit.Here(), Policy{ClientTakeover: true}, one(pmd), noOwn},
		{testkit.Here(), both, one(pmd + "; server_no_context_takeover"), noOwn},
		{testkit.Here(), both, one(pmd + "; client_no_context_takeover"), noPeers},
		{testkit.Here(), both, one(pmd + "; server_no_context_takeover=1"), ""},
		{testkit.Here(), both, one(pmd + "; server_no_context_takeover=true"), ""},
		{testkit.Here(), both, one(pmd + `; server_no_context_takeover="x"`), ""},
		{testkit.Here(), both, one(pmd + "; client_no_context_takeover=0"), ""},
		{testkit.Here(), both, one(pmd + "; server_no_context_takeover; server_no_context_takeover"), ""},
		{testkit.Here(), both, one(pmd + "; client_no_context_takeover; client_no_context_takeover"), ""},
		// The server's window.
		{testkit.Here(), both, one(pmd + "; server_max_window_bits=8"), pmd + "; server_max_window_bits=8"},
		{testkit.Here(), both, one(pmd + "; server_max_window_bits=9"), pmd + "; server_max_window_bits=9"},
		{testkit.Here(), both, one(pmd + "; server_max_window_bits=10"), pmd + "; server_max_window_bits=10"},
		{testkit.Here(), both, one(pmd + "; server_max_window_bits=15"), pmd + "; server_max_window_bits=15"},
		{testkit.Here(), both, one(pmd + "; server_max_window_bits=7"), ""},
		{testkit.Here(), both, one(pmd + "; server_max_window_bits=16"), ""},
		{testkit.Here(), both, one(pmd + "; server_max_window_bits=0"), ""},
		{testkit.Here(), both, one(pmd + "; server_max_window_bits=08"), ""},
		{testkit.Here(), both, one(pmd + "; server_max_window_bits=010"), ""},
		{testkit.Here(), both, one(pmd + "; server_max_window_bits=+9"), ""},
		{testkit.Here(), both, one(pmd + "; server_max_window_bits=-9"), ""},
		{testkit.Here(), both, one(pmd + "; server_max_window_bits=9.0"), ""},
		{testkit.Here(), both, one(pmd + "; server_max_window_bits=0x9"), ""},
		{testkit.Here(), both, one(pmd + "; server_max_window_bits=1_0"), ""},
		{testkit.Here(), both, one(pmd + "; server_max_window_bits=18446744073709551625"), ""},
		{testkit.Here(), both, one(pmd + "; server_max_window_bits"), ""},
		{testkit.Here(), both, one(pmd + "; server_max_window_bits=10; server_max_window_bits=10"), ""},
		{testkit.Here(), both, one(pmd + `; server_max_window_bits="10"`), pmd + "; server_max_window_bits=10"},
		{testkit.Here(), both, one(pmd + `; server_max_window_bits="1\0"`), pmd + "; server_max_window_bits=10"},
		{testkit.Here(), both, one(pmd + "; server_max_window_bits=12; server_no_context_takeover"), noOwn + "; server_max_window_bits=12"},
		{testkit.Here(), none, one(pmd + "; server_max_window_bits=9"),
			pmd + "; server_no_context_takeover; server_max_window_bits=9; client_no_context_takeover"},
		// The client's window.
		{testkit.Here(), both, one(pmd + "; client_max_window_bits=8"), pmd + "; client_max_window_bits=8"},
		{testkit.Here(), both, one(pmd + "; client_max_window_bits=15"), pmd},
		{testkit.Here(), both, one(pmd + `; client_max_window_bits="9"`), pmd + "; client_max_window_bits=9"},
		{testkit.Here(), both, one(pmd + "; client_max_window_bits=7"), ""},
		{testkit.Here(), both, one(pmd + "; client_max_window_bits=16"), ""},
		{testkit.Here(), both, one(pmd + "; client_max_window_bits=a"), ""},
		{testkit.Here(), both, one(pmd + "; client_max_window_bits; client_max_window_bits=10"), ""},
		{testkit.Here(), Policy{ClientTakeover: true, ClientBits: 10}, one(pmd + "; client_max_window_bits"), noOwn + "; client_max_window_bits=10"},
		{testkit.Here(), Policy{ClientTakeover: true, ClientBits: 10}, one(pmd + "; client_max_window_bits=9"), noOwn + "; client_max_window_bits=9"},
		{testkit.Here(), Policy{ClientTakeover: true, ClientBits: 10}, one(pmd), neither},
		{testkit.Here(), Policy{ClientTakeover: true, ClientBits: 10}, one(pmd + "; client_max_window_bits; client_no_context_takeover"), neither},
		// Unknown parameters, and several offers.
		{testkit.Here(), both, one(pmd + "; level=9"), ""},
		{testkit.Here(), both, one(pmd + "; SERVER_NO_CONTEXT_TAKEOVER"), ""},
		{testkit.Here(), both, one(pmd + "; level=9, " + pmd), pmd},
		{testkit.Here(), both, []string{pmd + "; level=9", pmd + "; server_max_window_bits=9"}, pmd + "; server_max_window_bits=9"},
		{testkit.Here(), both, one(pmd + "; server_max_window_bits=9, " + pmd), pmd + "; server_max_window_bits=9"},
		{testkit.Here(), both, one(pmd + "; server_max_window_bits=99, " + pmd + "; server_max_window_bits=7, " + pmd + "; client_no_context_takeover"), noPeers},
		// White space.
		{testkit.Here(), both, one(" \t" + pmd + "\t;\tserver_max_window_bits = 10 \t,"), pmd + "; server_max_window_bits=10"},
		{testkit.Here(), both, one(",," + pmd + ",,"), pmd},
		// The grammar.
		{testkit.Here(), both, one(pmd + ";"), malformed},
		{testkit.Here(), both, one(pmd + ";;server_no_context_takeover"), malformed},
		{testkit.Here(), both, one("; " + pmd), malformed},
		{testkit.Here(), both, one(pmd + " x"), malformed},
		{testkit.Here(), both, one(pmd + "; server_max_window_bits="), malformed},
		{testkit.Here(), both, one(pmd + "; =9"), malformed},
		{testkit.Here(), both, one(pmd + `; server_max_window_bits=""`), malformed},
		{testkit.Here(), both, one(pmd + `; server_max_window_bits="1 0"`), malformed},
		{testkit.Here(), both, one(pmd + `; server_max_window_bits="10`), malformed},
		{testkit.Here(), both, one(pmd + `; server_max_window_bits="10\`), malformed},
		{testkit.Here(), both, one(pmd + `; server_max_window_bits="10"0`), malformed},
		{testkit.Here(), both, one(pmd + `; "server_max_window_bits"=10`), malformed},
		{testkit.Here(), both, one(`"` + pmd + `"`), malformed},
		{testkit.Here(), both, one(pmd + "; a=b=c"), malformed},
		{testkit.Here(), both, one(pmd + ", ("), malformed},
		{testkit.Here(), both, []string{pmd, "é"}, malformed},
		{testkit.Here(), both, one(pmd + "\x00"), malformed},
		{testkit.Here(), both, one(`x; y="a,b"`), malformed},
	}
}

func TestNegotiate(t *testing.T) {
	t.Parallel()
	rows := negotiationRows()
	if len(rows) < 60 {
		t.Errorf("%d rows, want at least 60", len(rows))
	}
	for _, row := range rows {
		p, answer, err := Negotiate(row.lines, row.policy)
		if row.answer == malformed {
			if !errors.Is(err, ErrMalformed) || p != (Params{}) {
				t.Errorf("%s: %q: got %q, %v, want ErrMalformed", row.at, row.lines, answer, err)
			}
			continue
		}
		if err != nil || answer != row.answer || p.InUse() != (answer != "") {
			t.Errorf("%s: %q: got %q, %+v, %v, want %q", row.at, row.lines, answer, p, err, row.answer)
		}
	}
}

func TestNegotiatedParams(t *testing.T) {
	t.Parallel()
	rows := []struct {
		at     testkit.Line
		policy Policy
		offer  string
		want   Params
	}{
		{testkit.Here(), Policy{}, pmd, Params{ServerBits: 15, ClientBits: 15}},
		{testkit.Here(), both, pmd, Params{15, 15, true, true}},
		{testkit.Here(), both, pmd + "; server_max_window_bits=8; client_max_window_bits=9", Params{8, 9, true, true}},
		{testkit.Here(), Policy{ServerTakeover: true}, pmd + "; server_max_window_bits=10", Params{10, 15, true, false}},
		{testkit.Here(), Policy{ClientTakeover: true, ClientBits: 12}, pmd + "; client_max_window_bits", Params{15, 12, false, true}},
		{testkit.Here(), Policy{ClientTakeover: true, ClientBits: 12}, pmd, Params{15, 15, false, false}},
		// Without takeover the client's window does not matter: a message refers to itself only.
		{testkit.Here(), Policy{}, pmd + "; client_max_window_bits=9", Params{15, 15, false, false}},
	}
	for _, row := range rows {
		if got, _, err := Negotiate(one(row.offer), row.policy); err != nil || got != row.want {
			t.Errorf("%s: %q: got %+v, %v, want %+v", row.at, row.offer, got, err, row.want)
		}
	}
}

// FuzzNegotiate compares Negotiate with a client that checks the answer, and, for offers
// without quotes, with a simple reading of the RFC.
func FuzzNegotiate(f *testing.F) {
	for _, row := range negotiationRows() {
		lines := slices.Concat(row.lines, []string{"", ""})
		f.Add(lines[0], lines[1], uint8(7))
	}
	f.Fuzz(func(t *testing.T, first, second string, policy uint8) {
		lines := []string{first, second}
		p := Policy{ServerTakeover: policy&1 != 0, ClientTakeover: policy&2 != 0, ClientBits: int(policy >> 5)}
		if p.ClientBits += 8; p.ClientBits > 15 {
			p.ClientBits = 0
		}
		got, answer, err := Negotiate(lines, p)
		if err != nil || answer == "" {
			if got != (Params{}) {
				t.Fatalf("%q: declined with %+v", lines, got)
			}
			if err == nil && !strings.Contains(first+second, `"`) {
				if o := firstValid(lines); o != nil {
					t.Fatalf("%q: declined, but %v is valid", lines, o)
				}
			}
			return
		}
		if !strings.Contains(first+second, `"`) {
			checkAnswer(t, firstValid(lines), parameters(answer), got)
		}
	})
}

// parameters reads one extension by splitting it. Without a value it is "-".
func parameters(extension string) map[string]string {
	parts := strings.Split(extension, ";")
	m := map[string]string{"": strings.Trim(parts[0], " \t")}
	for _, part := range parts[1:] {
		name, value, ok := strings.Cut(part, "=")
		if name = strings.Trim(name, " \t"); !ok {
			value = "-"
		}
		if _, twice := m[name]; twice {
			m["twice"] = "x"
		}
		m[name] = strings.Trim(value, " \t")
	}
	return m
}

// firstValid returns the first valid offer of lists without quotes, or nil.
func firstValid(lines []string) map[string]string {
	for extension := range strings.SplitSeq(strings.Join(lines, ","), ",") {
		m := parameters(extension)
		valid := m[""] == pmd
		delete(m, "")
		for name, value := range m {
			valid = valid && isValid(name, value)
		}
		if valid {
			return m
		}
	}
	return nil
}

// isValid reports whether an offer may have a parameter.
func isValid(name, value string) bool {
	n, err := strconv.Atoi(value)
	bits := err == nil && n >= 8 && n <= 15 && value == strconv.Itoa(n)
	switch name {
	case "server_no_context_takeover", "client_no_context_takeover":
		return value == "-"
	case "server_max_window_bits":
		return bits
	case "client_max_window_bits":
		return bits || value == "-"
	}
	return false
}

// checkAnswer makes the checks of a client that has sent offer (RFC 7692 section 7.1).
func checkAnswer(t *testing.T, offer, answer map[string]string, got Params) {
	t.Helper()
	if offer == nil || answer[""] != pmd {
		t.Fatalf("%v was accepted, of %v", answer, offer)
	}
	_, noTakeover := answer["server_no_context_takeover"]
	_, wanted := offer["server_no_context_takeover"]
	if wanted && !noTakeover || noTakeover == got.ServerTakeover {
		t.Fatalf("%v for %v: %+v", answer, offer, got)
	}
	if _, noTakeover = answer["client_no_context_takeover"]; noTakeover == got.ClientTakeover {
		t.Fatalf("%v for %v: %+v", answer, offer, got)
	}
	checkWindows(t, offer, answer, got)
}

// checkWindows is checkAnswer for the sizes of windows.
func checkWindows(t *testing.T, offer, answer map[string]string, got Params) {
	t.Helper()
	most, limited := number(offer, "server_max_window_bits")
	n, answered := number(answer, "server_max_window_bits")
	if limited != answered || limited && (n != most || int(got.ServerBits) != n) {
		t.Fatalf("%v for %v: %+v", answer, offer, got)
	}
	most, limited = number(offer, "client_max_window_bits")
	n, answered = number(answer, "client_max_window_bits")
	if answered && (!limited || n < 8 || n > 15 || most != 0 && n > most || int(got.ClientBits) != n) {
		t.Fatalf("%v for %v: %+v", answer, offer, got)
	}
	if !answered && got.ClientBits != 15 {
		t.Fatalf("%v for %v: %+v", answer, offer, got)
	}
}

// number returns the value of a parameter, or 0 if it has none.
func number(parameters map[string]string, name string) (n int, ok bool) {
	value, ok := parameters[name]
	n, err := strconv.Atoi(value)
	if err != nil {
		return 0, ok
	}
	return n, ok
}
