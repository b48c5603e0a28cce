package handshake

import (
	"bufio"
	"bytes"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/wye-go/wye/protocol/websocket/internal/handshaketest"
)

// FuzzCheck compares the checks of a request that net/http has read with the naive
// ones: the first requirement that is not met decides. A request that is accepted gets
// one well-formed answer.
func FuzzCheck(f *testing.F) {
	for _, raw := range handshaketest.RawRequests() {
		f.Add(raw, uint16(1000), uint8(100))
		f.Add(raw, uint16(200), uint8(8))
	}
	f.Fuzz(func(t *testing.T, raw []byte, maxBytes uint16, maxLines uint8) {
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(raw)))
		if err != nil {
			t.Skip("net/http refuses it")
		}
		var possible []int // statuses; 0: accepted
		refused := false
		for _, q := range handshaketest.Requirements(r, int(maxBytes), int(maxLines)) {
			if q.Met != handshaketest.Yes && !refused {
				possible = append(possible, q.Status)
			}
			refused = refused || q.Met == handshaketest.No
		}
		if !refused {
			possible = append(possible, 0)
		}
		status := 0
		if e := check(r, int(maxBytes), int(maxLines)); e != nil {
			status = e.Status
		}
		if !slices.Contains(possible, status) {
			t.Fatalf("%q: got %d, want one of %v", raw, status, possible)
		}
		if status == 0 {
			checkAnswer(t, r)
		}
	})
}

// checkAnswer has net/http read the answer to a valid request.
func checkAnswer(t *testing.T, r *http.Request) {
	t.Helper()
	key := AcceptKey(r.Header)
	a := Answer{Key: &key, Middleware: r.Header} // a middleware that passes everything on
	if offered := ParseOffer(r.Header).Subprotocols; len(offered) > 0 {
		a.Subprotocol = offered[0]
	}
	in := bufio.NewReader(bytes.NewReader(a.Append(nil)))
	resp, err := http.ReadResponse(in, r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	h := resp.Header
	switch {
	case resp.StatusCode != http.StatusSwitchingProtocols || in.Buffered() > 0:
		t.Fatalf("answered with %d and %d bytes behind it", resp.StatusCode, in.Buffered())
	case !isSingle(h, "Upgrade", "websocket") || !isSingle(h, "Connection", "Upgrade"):
		t.Fatalf("answered with %v", h)
	case len(h["Sec-Websocket-Accept"]) != 1 || strings.Join(h["Sec-Websocket-Protocol"], ",") != a.Subprotocol:
		t.Fatalf("answered with %v, want the subprotocol %q", h, a.Subprotocol)
	}
}
