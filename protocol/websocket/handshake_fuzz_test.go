package websocket

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/admission"
	"github.com/wye-go/wye/protocol/websocket/internal/handshaketest"
)

// chooser is an application that accepts with a subprotocol, which the peer may
// have offered or not.
type chooser struct {
	*speaker
	choice int
	chosen string
	ended  chan struct{}
}

func (c *chooser) Open(s *protocol.Scope) (protocol.Handler, error) {
	if n := len(s.Subprotocols()); c.choice > 0 && n > 0 {
		c.chosen = s.Subprotocols()[c.choice%n]
	}
	if c.choice == 255 {
		c.chosen = "nobody-offered-this"
	}
	return c, nil
}

func (c *chooser) Connect(_ context.Context, conn *protocol.Conn) error {
	return conn.Accept(&protocol.AcceptOptions{Subprotocol: c.chosen, Header: http.Header{"X-Choice": {strconv.Itoa(c.choice)}}})
}

func (c *chooser) Disconnect(context.Context, *protocol.Conn, protocol.CloseStatus) { close(c.ended) }

// FuzzHandshakeAnswer has net/http read arbitrary bytes and the server answer
// them: once, with 101 if RFC 6455 section 4.2.1 says so, and otherwise with a
// status that something in the request is a reason for.
func FuzzHandshakeAnswer(f *testing.F) {
	addHandshakes(f)
	f.Fuzz(func(t *testing.T, raw []byte, choice byte, closing bool) {
		br := bufio.NewReader(bytes.NewReader(raw))
		r, err := http.ReadRequest(br)
		if err != nil || r.Host == "" {
			t.Skip("net/http refuses it")
		}
		app := &chooser{speaker: &speaker{}, choice: int(choice), ended: make(chan struct{})}
		s := New(app, &Options{MaxHandshake: 1000, Logger: slog.New(slog.DiscardHandler)})
		if closing {
			finish(t, s)
		}
		a := &answering{wire: newWire()}
		a.early, _ = br.Peek(br.Buffered())
		a.wire.hangUp()
		s.ServeHTTP(a, r)
		reasons, decided := refusals(r, closing)
		switch accepted := a.hijacks > 0; {
		case a.hijacks > 1, a.late > 0, len(a.statuses)+a.hijacks != 1:
			t.Fatalf("taken over %d times, answered with %v, used afterwards %d times", a.hijacks, a.statuses, a.late)
		case accepted && decided && len(reasons) > 0, accepted && app.chosen == "nobody-offered-this":
			t.Fatalf("accepted %q, with reasons for %v", raw, reasons)
		case !accepted:
			if len(reasons) == 0 && app.chosen == "nobody-offered-this" {
				reasons = []int{500}
			}
			a.checkRefusal(t, r, raw, reasons)
			return
		}
		<-app.ended
		finish(t, s)
		judgeUpgrade(t, a, r, app)
	})
}

// refusals are the statuses that there is a reason for. decided says that one of
// them has to come.
func refusals(r *http.Request, closing bool) (reasons []int, decided bool) {
	if closing {
		reasons, decided = []int{503}, true
	}
	for _, q := range handshaketest.Requirements(r, 1000, 100) {
		if q.Met != handshaketest.Yes {
			reasons = append(reasons, q.Status)
		}
		decided = decided || q.Met == handshaketest.No
	}
	if admission.New(nil).CheckRequest(r, admission.Client{}) != nil { // FuzzOrigin is about that
		reasons, decided = append(reasons, http.StatusForbidden), true
	}
	return reasons, decided
}

// checkRefusal looks at an answer that is no.
func (a *answering) checkRefusal(t *testing.T, r *http.Request, raw []byte, reasons []int) {
	t.Helper()
	status, h := a.statuses[0], a.header
	with := map[int]http.Header{
		405: {"Allow": {"GET"}},
		426: {"Upgrade": {"websocket"}, "Connection": {"close", "Upgrade"}, "Sec-Websocket-Version": {"13"}},
	}[status]
	out, _, _ := a.wire.written()
	switch {
	case slices.Contains(h["Connection"], "close") != (r.ProtoMajor <= 1):
		t.Fatalf("%q is refused with Connection %q", raw, h["Connection"])
	case !slices.Contains(reasons, status):
		t.Fatalf("%q is refused with %d, with reasons for %v", raw, status, reasons)
	case a.body.Len() < 2 || h.Get("Content-Length") != strconv.Itoa(a.body.Len()) || len(out) > 0:
		t.Fatalf("%q: %d with %q and %v; %q on the wire", raw, status, a.body.String(), h, out)
	}
	for name, lines := range with {
		if !slices.Equal(h[name], lines) {
			t.Fatalf("%q: %d with %v, want %v", raw, status, h, with)
		}
	}
}

// judgeUpgrade looks at an answer that is yes.
func judgeUpgrade(t *testing.T, a *answering, r *http.Request, app *chooser) {
	t.Helper()
	sum := sha1.Sum([]byte(r.Header.Get("Sec-Websocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	want := "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Accept: " + base64.StdEncoding.EncodeToString(sum[:]) + "\r\n"
	if offered, _ := handshaketest.SplitTokens(r.Header["Sec-Websocket-Protocol"]); len(offered) > 0 && app.choice > 0 {
		want += "Sec-WebSocket-Protocol: " + offered[app.choice%len(offered)] + "\r\n"
	}
	want += fmt.Sprintf("X-Choice: %d\r\n\r\n", app.choice)
	out, _, shut := a.wire.written()
	if !strings.HasPrefix(string(out), want) || !shut || a.wire.wrong != nil {
		t.Fatalf("accepted with %q, want %q; closed %v, %v", out, want, shut, a.wire.wrong)
	}
	if _, _, err := serverFrames(out); err != nil {
		t.Fatal(err)
	}
}

func addHandshakes(f *testing.F) {
	f.Helper()
	for i, raw := range handshaketest.RawRequests() {
		f.Add(raw, byte(1), false)
		if i == 0 {
			f.Add(raw, byte(0), false)
			f.Add(raw, byte(2), false)
			f.Add(raw, byte(255), false)
			f.Add(raw, byte(0), true)
		}
	}
}
