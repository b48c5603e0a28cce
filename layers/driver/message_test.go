package driver_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
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

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

const (
	core    = "specific.0123456789abcdef0123456789abcdef!00112233445566778899aabbccddeeff"
	hexCore = "d94a73706563696669632e3031323334353637383961626364656630313233343536373839616263646566213030313132323333343435353636373738383939616162626363646465656666"

	hexType     = "a474797065"                         // "type"
	hexChat     = "ac636861742e6d657373616765"         // "chat.message"
	hexText     = "a474657874 a26869"                  // "text": "hi"
	hexChannels = "b05f5f617367695f6368616e6e656c5f5f" // "__asgi_channel__"
)

// TestMessages has the messages that channels_redis was seen to write, among others.
func TestMessages(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		at      testkit.Line
		name    string
		message driver.Message
		fields  fields
		hex     string
	}{
		{testkit.Here(), "to a group over Pub/Sub", driver.Message{Event: event("chat.message", fields{"text": "hi"})},
			fields{"text": "hi"}, "82" + hexType + hexChat + hexText},
		{testkit.Here(), "no fields", driver.Message{Event: event("x", fields{})}, fields{}, "81" + hexType + "a178"},
		{testkit.Here(), "core send to a consumer", driver.Message{Event: event("chat.message", fields{"text": "hi"}), Channels: []string{core}},
			fields{"text": "hi"}, "83" + hexType + hexChat + hexText + hexChannels + hexCore},
		{testkit.Here(), "core send to several", driver.Message{Event: event("chat.message", fields{"text": "hi"}), Channels: []string{core, core}},
			fields{"text": "hi"}, "83" + hexType + hexChat + hexText + hexChannels + "92" + hexCore + hexCore},
		{testkit.Here(), "marked", driver.Message{Event: event("chat.message", fields{"text": "hi"}), Mark: "wye.1"},
			fields{"text": "hi"}, "83" + hexType + "a57779652e31" + hexType + hexChat + hexText},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			want := unhex(t, row.hex)
			got, err := row.message.Append([]byte("prefix"))
			if err != nil || string(got) != "prefix"+string(want) {
				t.Errorf("%s: wrote %x (%v), want %x behind the prefix", row.at, got, err, want)
			}
			wantParsed(t, row.at, want, &row.message, row.fields)
		})
	}
}

// wantParsed wants b to be read as want, whose event has these fields.
func wantParsed(t *testing.T, at testkit.Line, b []byte, want *driver.Message, f fields) {
	t.Helper()
	own := bytes.Clone(b)
	m, err := driver.ParseMessage(own)
	if err != nil {
		t.Errorf("%s: %v", at, err)
		return
	}
	clear(own) // the message must not share it
	got, err := protocol.EventType[fields]{}.Payload(m.Event)
	if err != nil || !reflect.DeepEqual(got, f) {
		t.Errorf("%s: read the fields %v (%v), want %v", at, got, err, f)
	}
	if m.Event.Type() != want.Event.Type() || !slices.Equal(m.Channels, want.Channels) || m.Mark != want.Mark {
		t.Errorf("%s: read the type %q, the channels %q and the mark %q, want %q, %q and %q", at, m.Event.Type(), m.Channels, m.Mark,
			want.Event.Type(), want.Channels, want.Mark)
	}
}

// TestParseMessage reads what others write otherwise.
func TestParseMessage(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		at   testkit.Line
		name string
		hex  string
		want driver.Message
		f    fields
	}{
		{testkit.Here(), "the type is last", "82" + hexText + hexType + hexChat, driver.Message{Event: event("chat.message", nil)}, fields{"text": "hi"}},
		{testkit.Here(), "core group_send to one member", "83" + hexType + hexChat + hexText + hexChannels + "91" + hexCore,
			driver.Message{Event: event("chat.message", nil), Channels: []string{core}}, fields{"text": "hi"}},
		{testkit.Here(), "channels in front", "83" + hexChannels + hexCore + hexText + hexType + hexChat,
			driver.Message{Event: event("chat.message", nil), Channels: []string{core}}, fields{"text": "hi"}},
		{testkit.Here(), "no channel", "82" + hexType + hexChat + hexChannels + "90", driver.Message{Event: event("chat.message", nil)}, fields{}},
		{testkit.Here(), "keys that are bytes", "82" + "c40474797065" + hexChat + "c40474657874 a26869", driver.Message{Event: event("chat.message", nil)}, fields{"text": "hi"}},
		{testkit.Here(), "a second type that is not next to the first is no mark's", "83" + hexText + hexType + "a178" + hexType + hexChat,
			driver.Message{Event: event("chat.message", nil)}, fields{"text": "hi"}},
		{testkit.Here(), "map 16", "de0002" + hexType + hexChat + hexText, driver.Message{Event: event("chat.message", nil)}, fields{"text": "hi"}},
		{testkit.Here(), "nested", "82" + hexType + hexChat + "a164 82" + hexType + "01 a16c 9281a1610202", driver.Message{Event: event("chat.message", nil)},
			fields{"d": fields{"type": int64(1), "l": []any{fields{"a": int64(2)}, int64(2)}}}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			wantParsed(t, row.at, unhex(t, row.hex), &row.want, row.f)
		})
	}
}

func TestParseMessageFails(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		at   testkit.Line
		name string
		hex  string
	}{
		{testkit.Here(), "nothing", ""},
		{testkit.Here(), "a list", "91" + hexChat},
		{testkit.Here(), "no type", "81" + hexText},
		{testkit.Here(), "a type that is bytes", "81" + hexType + "c40178"},
		{testkit.Here(), "an empty type", "81" + hexType + "a0"},
		{testkit.Here(), "channels that are a number", "82" + hexType + hexChat + hexChannels + "01"},
		{testkit.Here(), "a list of numbers", "82" + hexType + hexChat + hexChannels + "9101"},
		{testkit.Here(), "cut off", "82" + hexType + hexChat + "a474657874"},
		{testkit.Here(), "cut off in a key", "82" + hexType + hexChat + "a4746578"},
		{testkit.Here(), "two messages", "81" + hexType + hexChat + "81" + hexType + hexChat},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			if m, err := driver.ParseMessage(unhex(t, row.hex)); !errors.Is(err, protocol.ErrEventPayload) {
				t.Errorf("%s: read %+v (%v), want an error that matches ErrEventPayload", row.at, m, err)
			}
		})
	}
}

func TestAppendMessageFails(t *testing.T) {
	t.Parallel()
	for _, e := range []*protocol.Event{
		event("x", fields{"type": "y"}), event("x", fields{"a": 1, "__asgi_channel__": "y"}), event("x", fields{"f": func() {}}),
	} {
		m := driver.Message{Event: e}
		if b, err := m.Append([]byte("kept")); err == nil || string(b) != "kept" {
			t.Errorf("wrote %q, and the error is %v", b, err)
		}
	}
}

func TestMarkOf(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		at   testkit.Line
		hex  string
		want string
	}{
		{testkit.Here(), "83" + hexType + "a57779652e31" + hexType + hexChat + hexText, "wye.1"},
		{testkit.Here(), "82" + hexType + hexChat + hexText, "chat.message"},
		{testkit.Here(), "82" + hexType + hexChat, "chat.message"}, // the rest is not read
		{testkit.Here(), "82" + hexText + hexType + hexChat, ""},
		{testkit.Here(), "81" + hexType + "01", ""},
		{testkit.Here(), "80", ""},
		{testkit.Here(), "91" + hexType, ""},
		{testkit.Here(), "", ""},
		{testkit.Here(), "81", ""},
		{testkit.Here(), "81" + hexType, ""},
	} {
		if got := driver.MarkOf(unhex(t, row.hex)); got != row.want {
			t.Errorf("%s: %q, want %q", row.at, got, row.want)
		}
	}
}

// FuzzParseMessage: what can be read is the same when it has been written again.
func FuzzParseMessage(f *testing.F) {
	for _, m := range []driver.Message{
		{Event: event("chat.message", fields{"text": "hi"})},
		{Event: event("x", fields{"n": 1.5, "l": []any{nil, true, []byte{1}}}), Channels: []string{core}},
		{Event: event("x", fields{}), Channels: []string{"a", "b"}, Mark: "mark"},
	} {
		b, err := m.Append(nil)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := driver.ParseMessage(b)
		if err != nil {
			return
		}
		written, err := m.Append(nil)
		if err != nil {
			t.Fatalf("%x was read and cannot be written: %v", b, err)
		}
		again, err := driver.ParseMessage(written)
		if err != nil {
			t.Fatal(err)
		}
		was, wasErr := events.Payload(m.Event)
		is, isErr := events.Payload(again.Event)
		if wasErr != nil || isErr != nil || !bytes.Equal(was, is) || m.Event.Type() != again.Event.Type() ||
			!slices.Equal(m.Channels, again.Channels) || m.Mark != again.Mark {
			t.Errorf("%x was read as %+v with %x, and %x as %+v with %x", b, m, was, written, again, is)
		}
		if m.Mark != "" && driver.MarkOf(written) != m.Mark {
			t.Errorf("the mark of %x is %q, want %q", written, driver.MarkOf(written), m.Mark)
		}
	})
}

// A driver over Redis Pub/Sub publishes to a group, and another node reads it.
func ExampleMessage() {
	sent := driver.Message{
		Event: protocol.EventType[map[string]string]{Name: "chat.message"}.New(map[string]string{"text": "hi"}),
		Mark:  "wye1:NODE",
	}
	b, err := sent.Append(nil)
	if err != nil {
		fmt.Println(err)
	}
	fmt.Println(driver.MarkOf(b))
	read, err := driver.ParseMessage(b)
	fmt.Println(read.Event.Type(), read.Mark, err)
	// Output:
	// wye1:NODE
	// chat.message wye1:NODE <nil>
}
