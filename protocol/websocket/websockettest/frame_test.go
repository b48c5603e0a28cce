package websockettest

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol"
)

// TestFrameBytes has gobwas read what Masked returns, and Read what Unmasked returns.
func TestFrameBytes(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 3, 125, 126, 127, 1023, 1024, 1025, 65535, 65536, 1 << 20} {
		for _, first := range []byte{FIN | OpText, OpBinary, FIN | OpContinuation} {
			f := Frame{first, strings.Repeat("payload", n/7+1)[:n]}
			r := bytes.NewReader(f.MaskedWith([4]byte{byte(n), 1, 2, first}))
			h, err := ws.ReadHeader(r)
			payload, _ := io.ReadAll(r) //nolint:errcheck // it is in memory
			ws.Cipher(payload, h.Mask, 0)
			if err != nil || !h.Masked || h.Fin != (first&FIN != 0) || byte(h.OpCode) != first&^FIN ||
				h.Length != int64(n) || string(payload) != f.Payload {
				t.Errorf("%v: gobwas reads %+v, %v", f, h, err)
			}
			back, err := ReadFrame(bufio.NewReader(bytes.NewReader(f.Unmasked())))
			if err != nil || back != f {
				t.Errorf("%v: ReadFrame returns %v, %v", f, back, err)
			}
		}
	}
}

// TestReadFrameErrors is about what a server must not send.
func TestReadFrameErrors(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		at   testkit.Line
		in   string
		want string // in the error; "": none
	}{
		{testkit.Here(), "\x81\x05hello", ""},
		{testkit.Here(), "\x01\x02\xc3\xa4", ""},
		{testkit.Here(), "\x01\x01\xc3", ""}, // a fragment may end within a character
		{testkit.Here(), "\x81\x7e\x00\x7e" + strings.Repeat("a", 126), ""},
		{testkit.Here(), "", "EOF"},
		{testkit.Here(), "\x81", "unexpected EOF"},
		{testkit.Here(), "\x81\x05hell", "0x81 of 5 bytes: unexpected EOF"},
		{testkit.Here(), "\x81\x05", "0x81 of 5 bytes: unexpected EOF"},
		{testkit.Here(), "\x81\x7e\x01", "0x81: unexpected EOF"},
		{testkit.Here(), "\x81\x81\x00\x00\x00\x00a", "masked"},
		{testkit.Here(), "\x81\xfe\x00\x7e", "masked"},
		{testkit.Here(), "\xc1\x00", "reserved bit"},
		{testkit.Here(), "\xa1\x00", "reserved bit"},
		{testkit.Here(), "\x91\x00", "reserved bit"},
		{testkit.Here(), "\x83\x00", "reserved opcode"},
		{testkit.Here(), "\x8b\x00", "reserved opcode"},
		{testkit.Here(), "\x09\x00", "fragmented"},
		{testkit.Here(), "\x89\x7e\x00\x7e" + strings.Repeat("a", 126), "too long"},
		{testkit.Here(), "\x81\x7e\x00\x7d", "a length of 125 takes 2 bytes"},
		{testkit.Here(), "\x81\x7f\x00\x00\x00\x00\x00\x00\xff\xff", "a length of 65535 takes 8 bytes"},
		{testkit.Here(), "\x81\x7f\x80\x00\x00\x00\x00\x00\x00\x00", "longer than"},
		{testkit.Here(), "\x81\x01\xc3", "not UTF-8"},
	} {
		f, err := ReadFrame(bufio.NewReader(strings.NewReader(row.in)))
		if row.want == "" && err != nil || row.want != "" && (err == nil || !strings.Contains(err.Error(), row.want)) {
			t.Errorf("%s: got %v and %v, want %q", row.at, f, err, row.want)
		}
		if errors.Is(err, io.EOF) != (row.in == "") {
			t.Errorf("%s: %v is io.EOF, or is not", row.at, err)
		}
	}
}

func TestFrameText(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		at   testkit.Line
		f    Frame
		want string
	}{
		{testkit.Here(), Text("hello"), `text "hello"`},
		{testkit.Here(), Binary("\x00"), `binary "\x00"`},
		{testkit.Here(), Ping(""), `ping ""`},
		{testkit.Here(), Pong("a"), `pong "a"`},
		{testkit.Here(), Close(1001, "bye"), `close 1001 "bye"`},
		{testkit.Here(), Frame{First: FIN | OpClose}, `close 1005 ""`},
		{testkit.Here(), Frame{OpText, "he"}, `frame 0x01 "he"`},
		{testkit.Here(), Frame{FIN | RSV1 | OpText, ""}, `frame 0xc1 ""`},
		{testkit.Here(), Text(strings.Repeat("a", 100)), `text "` + strings.Repeat("a", 80) + `"... (100 bytes)`},
	} {
		if got := row.f.String(); got != row.want {
			t.Errorf("%s: got %s, want %s", row.at, got, row.want)
		}
	}
	if code, reason := Close(protocol.CloseGoingAway, "bye").Status(); code != 1001 || reason != "bye" {
		t.Errorf("Status returns %v and %q", code, reason)
	}
}
