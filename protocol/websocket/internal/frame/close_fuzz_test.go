package frame

import (
	"bytes"
	"context"
	"encoding/binary"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket/internal/frametest"
)

// silent is an application that accepts and does nothing.
type silent struct{}

func (silent) Open(*protocol.Scope) (protocol.Handler, error)                   { return silent{}, nil }
func (silent) Connect(context.Context, *protocol.Conn) error                    { return nil }
func (silent) Receive(context.Context, *protocol.Conn, protocol.Message) error  { return nil }
func (silent) Event(context.Context, *protocol.Conn, *protocol.Event) error     { return nil }
func (silent) Disconnect(context.Context, *protocol.Conn, protocol.CloseStatus) {}

// closes is a transport that records closes, and runs scheduled work when asked to.
type closes struct {
	statuses []protocol.CloseStatus
	due      []func()
}

func (c *closes) Accept(protocol.AcceptOptions) error   { return nil }
func (c *closes) Reject(*protocol.RejectError)          {}
func (c *closes) Send(protocol.Message) error           { return nil }
func (c *closes) SendPrepared(*protocol.Prepared) error { return nil }
func (c *closes) Close(s protocol.CloseStatus)          { c.statuses = append(c.statuses, s) }
func (c *closes) Schedule(run func())                   { c.due = append(c.due, run) }

// closeFrame returns the close frame of a connection that end ends.
func (c *closes) closeFrame(t *testing.T, end func(*protocol.Conn)) []byte {
	t.Helper()
	*c = closes{}
	s := protocol.NewSession(t.Context(), silent{}, protocol.NewScope("x", httptest.NewRequest(http.MethodGet, "/", nil)), c, &protocol.SessionOptions{Logger: slog.New(slog.DiscardHandler), Counters: new(protocol.Counters)})
	if !s.Open() {
		t.Fatal("not accepted")
	}
	end(s.Conn())
	for len(c.due) > 0 {
		run := c.due[0]
		c.due = c.due[1:]
		run()
	}
	if len(c.statuses) != 1 {
		t.Fatalf("closed with %+v, want one close", c.statuses)
	}
	return AppendClose(nil, c.statuses[0])
}

// FuzzClosePayload compares ParseClose with the reference, and the close frame of an
// application's close with what may be sent (RFC 6455 sections 5.5.1 and 7.4, and the
// registry of IANA).
func FuzzClosePayload(f *testing.F) {
	f.Add([]byte(nil), uint16(1000), "")
	f.Add([]byte{3}, uint16(1005), "bye")
	for _, code := range []uint16{0, 999, 1000, 1004, 1005, 1006, 1010, 1011, 1012, 1013, 1014, 1015, 1016, 2999, 3000, 4999, 5000, 65535} {
		f.Add(binary.BigEndian.AppendUint16(nil, code), code, strings.Repeat("a", 122)+"世")
		f.Add(append(binary.BigEndian.AppendUint16(nil, code), "bye 世界"...), code, "not \xff UTF-8")
	}
	f.Add([]byte("\x03\xe8\xff"), uint16(4000), strings.Repeat("\xff", 50))
	f.Add([]byte("\x03\xe8"+strings.Repeat("a", 123)), uint16(4000), strings.Repeat("a", 123))
	f.Fuzz(func(t *testing.T, payload []byte, code uint16, reason string) {
		checkParseClose(t, payload)
		want := []byte{0x03, 0xf3} // 1011
		if frametest.MayClose(code) && code != 1010 {
			want = append(binary.BigEndian.AppendUint16(nil, code), frametest.ShortenReason(reason)...)
		}
		c := &closes{}
		for how, got := range map[string][]byte{
			"Close":     c.closeFrame(t, func(conn *protocol.Conn) { conn.Close(protocol.CloseCode(code), reason) }),
			"CloseWith": c.closeFrame(t, func(conn *protocol.Conn) { conn.CloseWith(protocol.NewCloseError(protocol.CloseCode(code), reason)) }),
		} {
			it, rest, err := frametest.ReadServerFrame(got)
			if err != nil || len(rest) > 0 || it.OpCode != ws.OpClose || it.Data != string(want) {
				t.Fatalf("%s(%d, %q) sends %q: %v, want %q", how, code, reason, got, err, want)
			}
			checkParseClose(t, []byte(it.Data))
		}
		checkAppendClose(t, code, frametest.ShortenReason(reason))
	})
}

// checkParseClose compares ParseClose with the reference. A valid payload that a server
// may send is written as it was read.
func checkParseClose(t *testing.T, payload []byte) {
	t.Helper()
	var want frametest.Reference
	want.ReadClose(payload)
	got, err := ParseClose(payload)
	switch {
	case !want.End.Remote:
		if err == nil || codeOf(err) != want.End.Code {
			t.Fatalf("%x: got %+v, %v, want a refusal with %d", payload, got, err, want.End.Code)
		}
	case err != nil || got != want.End:
		t.Fatalf("%x: got %+v, %v, want %+v", payload, got, err, want.End)
	case want.Reply == got.Code && len(payload) <= 125:
		if back := AppendClose(nil, got); !bytes.Equal(back[2:], payload) || int(back[1]) != len(payload) || back[0] != 0x88 {
			t.Fatalf("%x goes back as %x", payload, back)
		}
	}
}

// checkAppendClose encodes a close with a code that has not been checked.
func checkAppendClose(t *testing.T, code uint16, reason string) {
	t.Helper()
	got := AppendClose([]byte("before"), protocol.CloseStatus{Code: protocol.CloseCode(code), Reason: reason})
	it, rest, err := frametest.ReadServerFrame(bytes.TrimPrefix(got, []byte("before")))
	if err == nil {
		err = frametest.CheckServerClose(it.Data, rest)
	}
	if err != nil || (it.Data == "") == (frametest.MayClose(code) && code != 1010) {
		t.Fatalf("%d %q: %q, %v", code, reason, got, err)
	}
}
