package wire

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/wye-go/wye/layers/driver"
)

// seedMessages are what the fuzz targets start from, besides the files in testdata.
func seedMessages() []driver.Message {
	return []driver.Message{
		{Event: event("chat.message", fields{"text": "hi"})},
		{Event: event("x", fields{"n": []any{nil, true, int64(-1), 1.5, 1e300, uint64(1) << 63}}), Channels: []string{core}},
		{Event: event("é", fields{"d": fields{"ключ": []any{"😀", "\x00\"\\"}}}), Channels: []string{"a", "b"}, Mark: markText},
	}
}

// FuzzParse: a message that can be read is the same when it has been written again.
func FuzzParse(f *testing.F) {
	c := newCodec(f, MsgPack)
	for _, m := range seedMessages() {
		b, err := c.Append(nil, &m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) { _ = writtenAgain(t, c, b) })
}

// FuzzParseJSON: what is read is valid JSON, and all JSON that is valid can be read unless
// it is not a message.
func FuzzParseJSON(f *testing.F) {
	c := newCodec(f, JSON)
	for _, m := range seedMessages() {
		b, err := c.Append(nil, &m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		err := writtenAgain(t, c, b)
		valid := json.Valid(b)
		if err == nil && !valid && !bytes.ContainsAny(b, "NI") { // of NaN and Infinity
			t.Errorf("%q was read, and is not valid", b)
		}
		if err != nil && valid && (strings.Contains(err.Error(), "not valid JSON") || strings.Contains(err.Error(), "in the middle")) {
			t.Errorf("%q is valid: %v", b, err)
		}
	})
}

// writtenAgain parses b, writes the message, parses it again, and compares. It returns the
// error of the first parsing.
func writtenAgain(t *testing.T, c *Codec, b []byte) error {
	t.Helper()
	mark := c.MarkOf(b)
	m, err := c.Parse(b)
	if err != nil {
		return err
	}
	if m.Mark != "" && mark != m.Mark {
		t.Errorf("the mark of %q is %q, want %q", b, mark, m.Mark)
	}
	written, err := c.Append(nil, &m)
	if err != nil {
		t.Fatalf("%q was read and cannot be written: %v", b, err)
	}
	again, err := c.Parse(written)
	if err != nil {
		t.Fatalf("%q was written as %q: %v", b, written, err)
	}
	if !samePayload(t, m.Event, again.Event) || !slices.Equal(m.Channels, again.Channels) || m.Mark != again.Mark {
		t.Errorf("%q was read as %+v, and %q as %+v", b, m, written, again)
	}
	return nil
}

// FuzzOpen: no bytes make Open panic, and what it opens is what was encrypted.
func FuzzOpen(f *testing.F) {
	c := newCodec(f, MsgPack, goldenKey, "another")
	f.Add([]byte(goldenToken), []byte("x"))
	f.Add([]byte(strings.Repeat("gAAAAABl", 20)), []byte{})
	f.Add([]byte{}, bytes.Repeat([]byte{16}, 16))
	f.Fuzz(func(t *testing.T, token, plain []byte) {
		if got, err := c.Open(token, 0); (err == nil) != (got != nil) {
			t.Errorf("opened %x (%v)", got, err)
		}
		sealed, err := c.keys[1].appendToken(nil, c.now(), func(b []byte) ([]byte, error) { return append(b, plain...), nil })
		if err != nil {
			t.Fatal(err)
		}
		if got, err := c.Open(sealed, 0); err != nil || !bytes.Equal(got, plain) {
			t.Errorf("opened %x (%v), want %x", got, err, plain)
		}
		if len(sealed) > 0 && len(token) > 0 {
			sealed[len(sealed)/2] ^= token[0] | 1
			if got, err := c.Open(sealed, 0); err == nil {
				t.Errorf("opened %x, which was changed", got)
			}
		}
	})
}
