package wire

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/wye-go/wye/internal/events"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/layers/driver"
	"github.com/wye-go/wye/protocol"
)

type fields = map[string]any

// event returns an event with these fields.
func event(typ string, f fields) *protocol.Event { return protocol.EventType[fields]{Name: typ}.New(f) }

// fieldsOf returns the fields of an event.
func fieldsOf(t *testing.T, e *protocol.Event) fields {
	t.Helper()
	f, err := protocol.EventType[fields]{}.Payload(e)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func newCodec(tb testing.TB, serializer string, keys ...string) *Codec {
	tb.Helper()
	c, err := New(serializer, keys)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestNewFails(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		at         testkit.Line
		serializer string
		keys       []string
		want       []string
	}{
		{testkit.Here(), "pickle", nil, []string{`the serializer "pickle" does not exist; use "msgpack" or "json"`}},
		{testkit.Here(), "JSON", nil, []string{`"JSON" does not exist`}},
		{testkit.Here(), "json", []string{"a", ""}, []string{"encryption key 2 of 2 is empty; remove it or set it"}},
		{testkit.Here(), "x", []string{"", "secret"}, []string{`"x"`, "key 1 of 2"}},
	} {
		_, err := New(row.serializer, row.keys)
		if err == nil {
			t.Errorf("%s: no error", row.at)
			continue
		}
		for _, want := range row.want {
			if !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
				t.Errorf("%s: %v; want it to have %q and no key", row.at, err, want)
			}
		}
	}
}

const (
	core     = "specific.0123456789abcdef0123456789abcdef!00112233445566778899aabbccddeeff"
	markText = "wye1:NODE"
)

// TestGolden has messages that the Python libraries were seen to write.
func TestGolden(t *testing.T) {
	t.Parallel()
	hello := fields{"text": "hi"}
	for _, row := range []struct {
		at         testkit.Line
		serializer string
		message    driver.Message
		fields     fields
		wire       string // of MessagePack in hexadecimal digits
	}{
		{
			testkit.Here(), MsgPack, driver.Message{Event: event("x", nil)}, fields{"a": true},
			"82 a474797065 a178 a161c3",
		},
		{
			testkit.Here(), MsgPack, driver.Message{Event: event("chat.message", nil), Channels: []string{core}}, hello,
			"83a474797065ac636861742e6d657373616765a474657874a26869b05f5f617367695f6368616e6e656c5f5fd94a" + hex.EncodeToString([]byte(core)),
		},
		{testkit.Here(), MsgPack, driver.Message{Event: event("x", nil)}, fields{"eb": []byte{}}, "82 a474797065 a178 a26562c400"},
		{testkit.Here(), MsgPack, driver.Message{Event: event("x", nil)}, fields{"big": int64(1) << 40}, "82 a474797065 a178 a3626967cf0000010000000000"},
		{testkit.Here(), MsgPack, driver.Message{Event: event("x", nil)}, fields{"f": 1.5}, "82 a474797065 a178 a166cb3ff8000000000000"},
		{
			testkit.Here(), MsgPack, driver.Message{Event: event("chat.message", nil), Mark: markText}, hello,
			"83 a474797065 a9" + hex.EncodeToString([]byte(markText)) + "a474797065 ac636861742e6d657373616765 a474657874 a26869",
		},

		{testkit.Here(), JSON, driver.Message{Event: event("chat.message", nil)}, fields{"s": "é"}, `{"type": "chat.message", "s": "\u00e9"}`},
		{testkit.Here(), JSON, driver.Message{Event: event("x", nil)}, fields{}, `{"type": "x"}`},
		{testkit.Here(), JSON, driver.Message{Event: event("x", nil), Mark: markText}, hello, `{"type": "wye1:NODE", "type": "x", "text": "hi"}`},
		{
			testkit.Here(), JSON, driver.Message{Event: event("x", nil), Channels: []string{"a"}}, hello,
			`{"type": "x", "text": "hi", "__asgi_channel__": "a"}`,
		},
		{
			testkit.Here(), JSON, driver.Message{Event: event("x", nil), Channels: []string{"a", "b"}}, hello,
			`{"type": "x", "text": "hi", "__asgi_channel__": ["a", "b"]}`,
		},
		{testkit.Here(), JSON, driver.Message{Event: event("x", nil)}, fields{"n": nil}, `{"type": "x", "n": null}`},
		{testkit.Here(), JSON, driver.Message{Event: event("x", nil)}, fields{"l": []any{true, false}}, `{"type": "x", "l": [true, false]}`},
		{testkit.Here(), JSON, driver.Message{Event: event("x", nil)}, fields{"e": []any{}}, `{"type": "x", "e": []}`},
		{testkit.Here(), JSON, driver.Message{Event: event("x", nil)}, fields{"e": fields{}}, `{"type": "x", "e": {}}`},
		{testkit.Here(), JSON, driver.Message{Event: event("x", nil)}, fields{"d": fields{"k": []any{int64(1)}}}, `{"type": "x", "d": {"k": [1]}}`},
		{testkit.Here(), JSON, driver.Message{Event: event("x", nil)}, fields{"s": "\"\\\n\r\t\b\f\x00\x1f\x7f/~"}, `{"type": "x", "s": "\"\\\n\r\t\b\f\u0000\u001f\u007f/~"}`},
		{testkit.Here(), JSON, driver.Message{Event: event("x", nil)}, fields{"s": "a€😀b"}, `{"type": "x", "s": "a\u20ac\ud83d\ude00b"}`},
		{testkit.Here(), JSON, driver.Message{Event: event("é", nil)}, fields{"ключ": ""}, `{"type": "\u00e9", "\u043a\u043b\u044e\u0447": ""}`},
		{testkit.Here(), JSON, driver.Message{Event: event("x", nil)}, fields{"i": int64(math.MinInt64)}, `{"type": "x", "i": -9223372036854775808}`},
		{testkit.Here(), JSON, driver.Message{Event: event("x", nil)}, fields{"i": uint64(math.MaxUint64)}, `{"type": "x", "i": 18446744073709551615}`},
		{testkit.Here(), JSON, driver.Message{Event: event("x", nil)}, fields{"f": 1.0}, `{"type": "x", "f": 1.0}`},
		{testkit.Here(), JSON, driver.Message{Event: event("x", nil)}, fields{"f": math.Copysign(0, -1)}, `{"type": "x", "f": -0.0}`},
		{testkit.Here(), JSON, driver.Message{Event: event("x", nil)}, fields{"f": 0.0001}, `{"type": "x", "f": 0.0001}`},
		{testkit.Here(), JSON, driver.Message{Event: event("x", nil)}, fields{"f": 0.00001}, `{"type": "x", "f": 1e-05}`},
		{testkit.Here(), JSON, driver.Message{Event: event("x", nil)}, fields{"f": 9999999999999998.0}, `{"type": "x", "f": 9999999999999998.0}`},
		{testkit.Here(), JSON, driver.Message{Event: event("x", nil)}, fields{"f": 1e16}, `{"type": "x", "f": 1e+16}`},
		{testkit.Here(), JSON, driver.Message{Event: event("x", nil)}, fields{"f": -1.5e300}, `{"type": "x", "f": -1.5e+300}`},
		{testkit.Here(), JSON, driver.Message{Event: event("x", nil)}, fields{"f": 5e-324}, `{"type": "x", "f": 5e-324}`},
		{testkit.Here(), JSON, driver.Message{Event: event("x", nil)}, fields{"f": math.Inf(1)}, `{"type": "x", "f": Infinity}`},
		{testkit.Here(), JSON, driver.Message{Event: event("x", nil)}, fields{"f": math.Inf(-1)}, `{"type": "x", "f": -Infinity}`},
	} {
		c := newCodec(t, row.serializer)
		want := []byte(row.wire)
		if row.serializer == MsgPack {
			want = unhex(t, row.wire)
		}
		sent := row.message
		sent.Event = event(row.message.Event.Type(), row.fields)
		got, err := c.Append([]byte("before"), &sent)
		if err != nil || string(got) != "before"+string(want) {
			t.Errorf("%s: wrote\n%q (%v), want\n%q", row.at, got, err, want)
		}
		wantRead(t, row.at, c, want, &sent, row.fields)
	}
}

// wantRead wants b to be read as want, whose event has these fields.
func wantRead(t *testing.T, at testkit.Line, c *Codec, b []byte, want *driver.Message, f fields) {
	t.Helper()
	own := bytes.Clone(b)
	m, err := c.Parse(own)
	if err != nil {
		t.Errorf("%s: %v", at, err)
		return
	}
	mark := c.MarkOf(own)
	clear(own) // the message must not share it
	if got := fieldsOf(t, m.Event); !reflect.DeepEqual(got, f) {
		t.Errorf("%s: read the fields %#v, want %#v", at, got, f)
	}
	if m.Event.Type() != want.Event.Type() || !slices.Equal(m.Channels, want.Channels) || m.Mark != want.Mark {
		t.Errorf("%s: read the type %q, the channels %q and the mark %q, want %q, %q and %q", at, m.Event.Type(), m.Channels, m.Mark,
			want.Event.Type(), want.Channels, want.Mark)
	}
	if wantMark := want.Mark; wantMark != "" && mark != wantMark {
		t.Errorf("%s: MarkOf returned %q, want %q", at, mark, wantMark)
	}
}

// TestGoldenValues reads the long vector, and writes it again field by field.
func TestGoldenValues(t *testing.T) {
	t.Parallel()
	long := "8da474797065ac636861742e6d657373616765a16ec0a174c3a169ffa175cd012ca3626967cf0000010000000000a166cb3ff8000000000000a173a2c3a9" +
		"a162c40200ffa16c9201920203a16481a16ba176a165a0a26562c400"
	want := fields{
		"n": nil, "t": true, "i": int64(-1), "u": int64(300), "big": int64(1) << 40, "f": 1.5, "s": "é", "b": []byte{0, 0xff},
		"l": []any{int64(1), []any{int64(2), int64(3)}}, "d": fields{"k": "v"}, "e": "", "eb": []byte{},
	}
	c := newCodec(t, MsgPack)
	wantRead(t, testkit.Here(), c, unhex(t, long), &driver.Message{Event: event("chat.message", nil)}, want)
	m, err := c.Parse(unhex(t, long))
	if err != nil {
		t.Fatal(err)
	}
	again, err := c.Append(nil, &m)
	if err != nil || hex.EncodeToString(again) != long {
		t.Errorf("wrote %x (%v), want %s", again, err, long)
	}
	// The same value, without the bytes, as json.dumps writes it.
	text := `{"type": "chat.message", "n": null, "t": true, "i": -1, "u": 300, "big": 1099511627776, "f": 1.5, "s": "\u00e9", ` +
		`"l": [1, [2, 3]], "d": {"k": "v"}, "e": ""}`
	maps.DeleteFunc(want, func(_ string, v any) bool { _, isBytes := v.([]byte); return isBytes })
	c = newCodec(t, JSON)
	wantRead(t, testkit.Here(), c, []byte(text), &driver.Message{Event: event("chat.message", nil)}, want)
	if m, err = c.Parse([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if again, err = c.Append(nil, &m); err != nil || string(again) != text {
		t.Errorf("wrote %s (%v), want %s", again, err, text)
	}
}

// TestParseJSON reads what other programs write otherwise.
func TestParseJSON(t *testing.T) {
	t.Parallel()
	c := newCodec(t, JSON)
	x := func(mark string, channels ...string) driver.Message {
		return driver.Message{Event: event("x", nil), Mark: mark, Channels: channels}
	}
	long := strings.Repeat("[", 498) + strings.Repeat("]", 498)
	for _, row := range []struct {
		at   testkit.Line
		text string
		want driver.Message
		f    fields
	}{
		{testkit.Here(), `{"text":"hi","type":"x"}`, x(""), fields{"text": "hi"}},
		{testkit.Here(), " \t\r\n{ \"type\" : \"x\" , \"l\" : [ 1 , 2 ] , \"d\" : { } } \n", x(""), fields{"l": []any{int64(1), int64(2)}, "d": fields{}}},
		{testkit.Here(), `{"type": "x", "a": 1, "a": 2}`, x(""), fields{"a": int64(2)}},
		{testkit.Here(), `{"a": 1, "type": "y", "type": "x"}`, x(""), fields{"a": int64(1)}},
		{testkit.Here(), `{"type": "m", "a": 1, "type": "x"}`, x("m"), fields{"a": int64(1)}},
		{testkit.Here(), `{"\u0074ype": "m", "type": "x"}`, x("m"), fields{}},
		{testkit.Here(), `{"type": "x", "s": "\/\u00E9\u00e9é😀\uD83D\uDE00"}`, x(""), fields{"s": "/ééé😀😀"}},
		{testkit.Here(), `{"type": "x", "s": "\ud83d \ude00 \ud83d\u0041"}`, x(""), fields{"s": "\ufffd \ufffd \ufffdA"}},
		{testkit.Here(), `{"type": "x", "s": "\ud83d\ud83d\ude00"}`, x(""), fields{"s": "\ufffd😀"}},
		{testkit.Here(), "{\"type\": \"x\", \"s\": \"a\xffb\"}", x(""), fields{"s": "a\ufffdb"}},
		{testkit.Here(), `{"type": "x", "n": [-0, 0, 1e2, 1E+2, 0.5e-1, -1.25]}`, x(""), fields{"n": []any{int64(0), int64(0), 100.0, 100.0, 0.05, -1.25}}},
		{testkit.Here(), `{"type": "x", "n": 999999999999999999}`, x(""), fields{"n": int64(999999999999999999)}},
		{testkit.Here(), `{"type": "x", "n": -9223372036854775808}`, x(""), fields{"n": int64(math.MinInt64)}},
		{testkit.Here(), `{"type": "x", "n": 9223372036854775808}`, x(""), fields{"n": uint64(1) << 63}},
		{testkit.Here(), `{"type": "x", "__asgi_channel__": []}`, x(""), fields{}},
		{testkit.Here(), `{"type": "x", "__asgi_channel__": [ "a" , "b" ]}`, x("", "a", "b"), fields{}},
		{testkit.Here(), `{"type": "x", "l": [0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,[]]}`, x(""), fields{"l": []any{
			int64(0), int64(1), int64(2), int64(3), int64(4), int64(5), int64(6), int64(7), int64(8), int64(9), int64(10), int64(11), int64(12), int64(13), int64(14), []any{},
		}}},
	} {
		wantRead(t, row.at, c, []byte(row.text), &row.want, row.f)
	}
	if _, err := c.Parse([]byte(`{"type": "x", "l": ` + long + `}`)); err != nil {
		t.Errorf("lists in lists: %v", err)
	}
}

func TestParseJSONFails(t *testing.T) {
	t.Parallel()
	c := newCodec(t, JSON)
	for _, row := range []struct {
		at   testkit.Line
		text string
		want string
	}{
		{testkit.Here(), ``, "it is not a map"},
		{testkit.Here(), `[]`, "it is not a map"},
		{testkit.Here(), `"x"`, "it is not a map"},
		{testkit.Here(), "\x82\xa4type\xa1x", "it is not a map"},
		{testkit.Here(), `{}`, `no "type"`},
		{testkit.Here(), `{"type": 1}`, `no "type"`},
		{testkit.Here(), `{"type": null}`, `no "type"`},
		{testkit.Here(), `{"type": ""}`, `no "type"`},
		{testkit.Here(), `{"a": 1}`, `no "type"`},
		{testkit.Here(), `{"type": "x"} {}`, "bytes follow"},
		{testkit.Here(), `{"type": "x"}x`, "bytes follow"},
		{testkit.Here(), `{"type": "x"`, "ends in the middle"},
		{testkit.Here(), `{"type": "x`, "ends in the middle"},
		{testkit.Here(), `{"type": "x\`, "ends in the middle"},
		{testkit.Here(), `{"type": "x\n`, "ends in the middle"},
		{testkit.Here(), `{"type"`, "ends in the middle"},
		{testkit.Here(), `{"type":`, "ends in the middle"},
		{testkit.Here(), `{"type": "x",`, "ends in the middle"},
		{testkit.Here(), `{"type": "x", "a": [1`, "ends in the middle"},
		{testkit.Here(), `{"type": "x", "a": -`, "ends in the middle"},
		{testkit.Here(), `{"type": "x", "a": 1.`, "ends in the middle"},
		{testkit.Here(), `{"type": "x", "a": 1e`, "ends in the middle"},
		{testkit.Here(), `{"type": "x", "a": 1.}`, "not valid JSON: byte 21 is '}'"},
		{testkit.Here(), `{"type": "x", "a": .5}`, "not valid JSON"},
		{testkit.Here(), `{"type": "x", "a": 01}`, "not valid JSON"},
		{testkit.Here(), `{"type": "x", "a": +1}`, "not valid JSON"},
		{testkit.Here(), `{"type": "x", "a": 1e+}`, "not valid JSON"},
		{testkit.Here(), `{"type": "x", "a": nul}`, "not valid JSON"},
		{testkit.Here(), `{"type": "x", "a": nan}`, "not valid JSON"},
		{testkit.Here(), `{"type": "x", "a": True}`, "not valid JSON"},
		{testkit.Here(), `{"type": "x", "a": 'b'}`, "not valid JSON"},
		{testkit.Here(), `{"type": "x",}`, "not valid JSON"},
		{testkit.Here(), `{"type": "x", "a": [1,]}`, "not valid JSON"},
		{testkit.Here(), `{"type": "x" "a": 1}`, "not valid JSON"},
		{testkit.Here(), `{"type": "x", "a" 1}`, "not valid JSON"},
		{testkit.Here(), `{"type": "x", 1: 1}`, "not valid JSON"},
		{testkit.Here(), "{\"type\": \"x\n\"}", "not valid JSON"},
		{testkit.Here(), "{\"type\": \"x\\n\n\"}", "not valid JSON"},
		{testkit.Here(), `{"type": "\x"}`, "not valid JSON"},
		{testkit.Here(), `{"type": "\u12g4"}`, "not valid JSON"},
		{testkit.Here(), `{"type": "x", "__asgi_channel__": 1}`, "neither a string nor a list"},
		{testkit.Here(), `{"type": "x", "__asgi_channel__": [1]}`, "neither a string nor a list"},
		{testkit.Here(), `{"type": "x", "__asgi_channel__": ["a"`, "ends in the middle"},
		{testkit.Here(), `{"type": "x", "n": 18446744073709551617}`, "too many digits"},
		{testkit.Here(), `{"type": "x", "n": -9223372036854775809}`, "too many digits"},
		{testkit.Here(), `{"type": "x", "n": 1e400}`, "too large"},
		{testkit.Here(), `{"type": "x", "l": ` + strings.Repeat("[", 500) + strings.Repeat("]", 500) + `}`, "nested more than 500 levels"},
		{testkit.Here(), `{"type": "x", "l": ` + strings.Repeat("[", 1<<20), "nested more than 500 levels"},
	} {
		m, err := c.Parse([]byte(row.text))
		if !errors.Is(err, protocol.ErrEventPayload) || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: read %+v, and the error is %v; want one that matches ErrEventPayload and has %q", row.at, m, err, row.want)
		}
	}
}

func TestAppendFails(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		at         testkit.Line
		serializer string
		f          fields
		want       string
	}{
		{testkit.Here(), JSON, fields{"picture": []byte{1}}, `event "x" cannot be a message of Django Channels: picture: JSON has no bytes; send Base64`},
		{testkit.Here(), JSON, fields{"l": []any{fields{"b": []byte{1}}}}, `l[0]["b"]: JSON has no bytes`},
		{testkit.Here(), JSON, fields{"type": "y"}, `a field of the payload is called "type"`},
		{testkit.Here(), JSON, fields{"__asgi_channel__": "y"}, `"__asgi_channel__"`},
		{testkit.Here(), JSON, fields{"f": func() {}}, "func()"},
		{testkit.Here(), MsgPack, fields{"type": "y"}, `a field of the payload is called "type"`},
		{testkit.Here(), MsgPack, fields{"f": func() {}}, "func()"},
	} {
		for _, keys := range [][]string{nil, {"key"}} {
			m := driver.Message{Event: event("x", row.f)}
			b, err := newCodec(t, row.serializer, keys...).Append([]byte("kept"), &m)
			if err == nil || !strings.Contains(err.Error(), row.want) || string(b) != "kept" {
				t.Errorf("%s: wrote %q, and the error is %v; want %q", row.at, b, err, row.want)
			}
		}
	}
}

// TestFloat32: Python reads the float64 with the same value, and Wye the number that is meant.
func TestFloat32(t *testing.T) {
	t.Parallel()
	e := protocol.EventType[map[string]float32]{Name: "x"}.New(map[string]float32{"f": 0.1})
	b, err := newCodec(t, JSON).Append(nil, &driver.Message{Event: e})
	if err != nil || string(b) != `{"type": "x", "f": 0.1}` {
		t.Errorf("wrote %s (%v)", b, err)
	}
}

func TestMarkOf(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		at   testkit.Line
		text string
		want string
	}{
		{testkit.Here(), `{"type": "wye1:NODE", "type": "x"}`, "wye1:NODE"},
		{testkit.Here(), ` { "type" : "wye1:NODE" , `, "wye1:NODE"}, // the rest is not read
		{testkit.Here(), `{"type": "x", "text": "hi"}`, "x"},
		{testkit.Here(), `{"text": "hi", "type": "x"}`, ""},
		{testkit.Here(), `{"type": 1, "type": "x"}`, ""},
		{testkit.Here(), `{"type": "x`, ""},
		{testkit.Here(), `{"type" "x"`, ""},
		{testkit.Here(), `{}`, ""},
		{testkit.Here(), `{`, ""},
		{testkit.Here(), `[`, ""},
		{testkit.Here(), ``, ""},
	} {
		if got := newCodec(t, JSON).MarkOf([]byte(row.text)); got != row.want {
			t.Errorf("%s: %q, want %q", row.at, got, row.want)
		}
	}
}

func TestShard(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		at   testkit.Line
		name string
		want map[int]int // by the number of servers
	}{
		{testkit.Here(), "key_one", map[int]int{1: 0, 2: 1, 10: 6}},
		{testkit.Here(), "key_two", map[int]int{1: 0, 2: 0, 10: 4}},
		{testkit.Here(), "test-group", map[int]int{2: 1, 3: 2, 4: 3, 7: 6, 10: 8}},
		{testkit.Here(), "asgi__group__room", map[int]int{2: 1, 3: 2, 4: 3, 7: 5, 10: 7}},
		{testkit.Here(), "room", map[int]int{2: 0, 3: 0, 4: 0, 7: 0, 10: 1}},
		{testkit.Here(), "specific.0123456789abcdef0123456789abcdef!", map[int]int{2: 0, 3: 1, 4: 1, 7: 2, 10: 3}},
	} {
		for n, want := range row.want {
			if got := Shard(row.name, n); got != want {
				t.Errorf("%s: server %d of %d, want %d", row.at, got, n, want)
			}
		}
	}
	for n := 1; n <= 5000; n += 7 {
		for i := range 50 {
			if got := Shard(fmt.Sprint(n, i), n); got < 0 || got >= n {
				t.Fatalf("server %d of %d", got, n)
			}
		}
	}
}

// samePayload reports whether two events have the same type and payload.
func samePayload(t *testing.T, a, b *protocol.Event) bool {
	t.Helper()
	x, err := events.Payload(a)
	if err != nil {
		t.Fatal(err)
	}
	y, err := events.Payload(b)
	if err != nil {
		t.Fatal(err)
	}
	return a.Type() == b.Type() && bytes.Equal(x, y)
}
