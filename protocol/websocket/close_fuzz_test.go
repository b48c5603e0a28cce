package websocket

import (
	"bytes"
	"encoding/binary"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"github.com/wye-go/wye/protocol"
)

// closes is a transport that keeps what it is told to close with, and runs
// nothing before it is asked to.
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

// frame is the close frame of a connection that end ends.
func (c *closes) frame(t *testing.T, end func(*protocol.Conn)) []byte {
	t.Helper()
	*c = closes{}
	s := protocol.NewSession(t.Context(), &callbacks{}, protocol.NewScope("x", goodRequest()), c, &protocol.SessionOptions{Logger: slog.New(slog.DiscardHandler), Counters: new(protocol.Counters)})
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
	return appendClose(nil, c.statuses[0])
}

// FuzzClosePayload compares the reading of close payloads with the naive one,
// and what is made of an application's close with what may be sent (RFC 6455
// sections 5.5.1 and 7.4, and the registry of IANA).
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
		if mayClose(code) && code != 1010 {
			want = append(binary.BigEndian.AppendUint16(nil, code), shortened(reason)...)
		}
		c := &closes{}
		for how, got := range map[string][]byte{
			"Close":     c.frame(t, func(conn *protocol.Conn) { conn.Close(protocol.CloseCode(code), reason) }),
			"CloseWith": c.frame(t, func(conn *protocol.Conn) { conn.CloseWith(protocol.Close(protocol.CloseCode(code), reason)) }),
		} {
			it, rest, err := serverFrame(got)
			if err != nil || len(rest) > 0 || it.op != ws.OpClose || it.data != string(want) {
				t.Fatalf("%s(%d, %q) sends %q: %v, want %q", how, code, reason, got, err, want)
			}
			checkParseClose(t, []byte(it.data))
		}
		checkAppendClose(t, code, shortened(reason))
	})
}

// checkParseClose compares parseClose with the naive reading. What is good and
// fits goes back as it came.
func checkParseClose(t *testing.T, payload []byte) {
	t.Helper()
	var want reading
	if err := want.closed(payload); !errors.Is(err, errOver) {
		t.Fatal(err)
	}
	got, err := parseClose(payload)
	switch {
	case !want.end.Remote:
		if err == nil || codeOf(err) != want.end.Code {
			t.Fatalf("%x: got %+v, %v, want a refusal with %d", payload, got, err, want.end.Code)
		}
	case err != nil || got != want.end:
		t.Fatalf("%x: got %+v, %v, want %+v", payload, got, err, want.end)
	case want.reply == got.Code && len(payload) <= 125:
		if back := appendClose(nil, got); !bytes.Equal(back[2:], payload) || int(back[1]) != len(payload) || back[0] != 0x88 {
			t.Fatalf("%x goes back as %x", payload, back)
		}
	}
}

// checkAppendClose has a close encoded whose code nobody has looked at.
func checkAppendClose(t *testing.T, code uint16, reason string) {
	t.Helper()
	got := appendClose([]byte("before"), protocol.CloseStatus{Code: protocol.CloseCode(code), Reason: reason})
	it, rest, err := serverFrame(bytes.TrimPrefix(got, []byte("before")))
	if err == nil {
		err = nothingBehind(it.data, rest)
	}
	if err != nil || (it.data == "") == (mayClose(code) && code != 1010) {
		t.Fatalf("%d %q: %q, %v", code, reason, got, err)
	}
}
