package frame

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/gobwas/ws"

	"github.com/wye-go/wye/internal/plumbing"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket/internal/frametest"
)

// TestFrames reads messages with gobwas.
func TestFrames(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 125, 126, 127, 65535, 65536, 1 << 20} {
		for _, kind := range []protocol.Kind{protocol.KindText, protocol.KindBinary} {
			m := protocol.Message{Kind: kind, Data: bytes.Repeat([]byte{'a'}, n)}
			b := Append([]byte{}, OpCodeOf(m.Kind), m.Data)
			if len(b) != EncodedSize(n) {
				t.Errorf("%v of %d: the frame has %d bytes, EncodedSize says %d", kind, n, len(b), EncodedSize(n))
			}
			r := bytes.NewReader(b)
			h, err := ws.ReadHeader(r)
			if err != nil || ws.CheckHeader(h, ws.StateClientSide) != nil {
				t.Fatalf("%v of %d: header %+v, %v", kind, n, h, err)
			}
			if !h.Fin || h.OpCode != OpCodeOf(kind) || h.Length != int64(n) || KindOf(h.OpCode) != kind {
				t.Errorf("%v of %d: header %+v", kind, n, h)
			}
			if got, _ := io.ReadAll(r); !bytes.Equal(got, m.Data) { //nolint:errcheck // it is in memory
				t.Errorf("%v of %d: the payload differs", kind, n)
			}
		}
	}
}

// TestFramesAreShort makes sure that lengths are in their shortest form.
func TestFramesAreShort(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]int{0: 2, 125: 2, 126: 4, 65535: 4, 65536: 10} {
		if got := len(AppendHeader(nil, ws.OpBinary, n)); got != want {
			t.Errorf("the header of %d bytes takes %d, want %d", n, got, want)
		}
	}
}

func TestAppendClose(t *testing.T) {
	t.Parallel()
	rows := []struct {
		at   testkit.Line
		in   protocol.CloseStatus
		want string
	}{
		{testkit.Here(), protocol.CloseStatus{Code: 1000}, "\x88\x02\x03\xe8"},
		{testkit.Here(), protocol.CloseStatus{Code: 1000, Reason: "bye"}, "\x88\x05\x03\xe8bye"},
		{testkit.Here(), protocol.CloseStatus{Code: 4999, Reason: "世"}, "\x88\x05\x13\x87世"},
		{testkit.Here(), protocol.CloseStatus{Code: 1014}, "\x88\x02\x03\xf6"},
		{testkit.Here(), protocol.CloseStatus{Code: protocol.CloseNoStatus}, "\x88\x00"},
		{testkit.Here(), protocol.CloseStatus{Code: protocol.CloseAbnormal, Reason: "x"}, "\x88\x00"},
		{testkit.Here(), protocol.CloseStatus{}, "\x88\x00"},
		{testkit.Here(), protocol.CloseStatus{Code: 1000, Reason: strings.Repeat("a", 123)}, "\x88\x7d\x03\xe8" + strings.Repeat("a", 123)},
	}
	for _, row := range rows {
		if got := string(AppendClose(nil, row.in)); got != row.want {
			t.Errorf("%s: %+v: got %x, want %x", row.at, row.in, got, row.want)
		}
	}
}

// TestParseCloseCodes goes through all codes there are.
func TestParseCloseCodes(t *testing.T) {
	t.Parallel()
	for code := range 1 << 16 {
		s, err := ParseClose([]byte{byte(code >> 8), byte(code)})
		switch {
		case frametest.MayClose(uint16(code)) && (err != nil || s != protocol.CloseStatus{Code: protocol.CloseCode(code), Remote: true}):
			t.Errorf("%d: got %+v, %v", code, s, err)
		case !frametest.MayClose(uint16(code)) && (err == nil || codeOf(err) != protocol.CloseProtocolError):
			t.Errorf("%d: got %+v, %v, want a protocol error", code, s, err)
		}
	}
}

// TestOwnReasonsFit makes sure that the parser's errors can be sent as close reasons.
func TestOwnReasonsFit(t *testing.T) {
	t.Parallel()
	for _, row := range append(frametest.HeaderRows(), frametest.ControlRows()...) {
		p := NewParser(newRules(bounds{maxMessage: frametest.DefaultLimit}))
		_, err := feed(&p, row.In)
		if err == nil {
			continue
		}
		s := protocol.CloseStatusOf(err)
		if !s.Code.Sendable() || s.Reason == "" || len(s.Reason) > plumbing.MaxCloseReason || !utf8.ValidString(s.Reason) {
			t.Errorf("%s: %+v cannot be sent", row.At, s)
		}
	}
}
