package redis

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/layers/driver"
	"github.com/wye-go/wye/layers/redis/internal/wire"
)

// encoding returns a driver that can encode.
func encoding(t *testing.T, serializer string, keys ...string) *Driver {
	t.Helper()
	codec, err := wire.New(serializer, keys)
	if err != nil {
		t.Fatal(err)
	}
	d := &Driver{codec: codec, settings: &settings{}}
	d.settings.Serializer, d.settings.EncryptionKeys = serializer, keys
	return d
}

// TestPresenceRecord encodes presences and decodes them. The short way to decode has the same
// result as that through a message. A record that is cut, or whose lengths are wrong, is an error.
func TestPresenceRecord(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 1, 2, 12, 0, 0, 5, time.UTC)
	long := strings.Repeat("ab", 20)
	for _, row := range []struct {
		at testkit.Line
		p  driver.Presence
	}{
		{testkit.Here(), driver.Presence{ID: "1", Key: "ann", Since: noon}},
		{testkit.Here(), driver.Presence{ID: "1", Key: "ann", Since: noon, Meta: json.RawMessage(`{"a":[1,"\"x\\\n\u0001µ",null,{"b":-1.5}],"c":{}}`)}},
		{testkit.Here(), driver.Presence{ID: long, Key: strings.Repeat("k", driver.MaxKey), Since: noon, Meta: json.RawMessage(`"m"`)}},
		{testkit.Here(), driver.Presence{ID: "\xff\n", Key: "\n3\n\x00\xfe", Since: noon, Meta: json.RawMessage(`null`)}},
		{testkit.Here(), driver.Presence{ID: "1", Key: "ann", Since: time.Date(1, 1, 1, 0, 0, 0, 1, time.UTC), Meta: json.RawMessage(`7`)}},
		{testkit.Here(), driver.Presence{ID: "1", Key: "ann", Since: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)}},
	} {
		for _, d := range []*Driver{
			encoding(t, wire.MsgPack), encoding(t, wire.JSON), encoding(t, wire.MsgPack, "secret"), encoding(t, wire.JSON, "secret"),
		} {
			for _, group := range []string{"room", strings.Repeat("r", driver.MaxName)} {
				r, err := d.encodePresence(group, "node:1", row.p)
				if err != nil {
					t.Fatalf("%s: %v", row.at, err)
				}
				checkRecord(t, row.at, d, group, r.record, row.p)
			}
		}
	}
}

func checkRecord(t *testing.T, at testkit.Line, d *Driver, group, record string, p driver.Presence) {
	t.Helper()
	reader := presenceReader{driver: d, group: group}
	rest := record[recordHead+len("node:1")+len(p.Key):]
	message := rest
	if format := record[0]; format != encrypted {
		message = presenceStart(format, driver.Exited.Name, group) + rest
	}
	want, err := reader.parseMessage(message)
	if err != nil {
		t.Fatalf("%s: %v", at, err)
	}
	var got driver.Presence
	err = reader.parse(record, &got)
	if err != nil || fmt.Sprintf("%#v", got) != fmt.Sprintf("%#v", want) || !got.Since.Equal(p.Since) {
		t.Errorf("%s: %#v (%v), want %#v", at, got, err, want)
	}
	if record[0] == inMessagePack {
		if !reader.parseRest(rest, new(driver.Presence)) {
			t.Errorf("%s: the short way has not been taken", at)
		}
	}
	for n := range record {
		var got driver.Presence
		if err := reader.parse(record[:n], &got); err == nil && n < len(record)-len(rest) {
			t.Errorf("%s: %d bytes of it are %q", at, n, got)
		}
	}
	b := []byte(record)
	b[lengthsAt+2] = 0xff
	got = driver.Presence{}
	if err := reader.parse(string(b), &got); err == nil || got.ID != "" {
		t.Errorf("%s: with a wrong length, it is %q (%v)", at, got, err)
	}
}

// TestPresenceStart: a message about a presence starts as the scripts have it, and a group that
// would have to be escaped is an error.
func TestPresenceStart(t *testing.T) {
	t.Parallel()
	for _, serializer := range []string{wire.MsgPack, wire.JSON} {
		d := encoding(t, serializer)
		for _, group := range []string{"a", strings.Repeat("x", 31), strings.Repeat("x", 32), strings.Repeat("x", driver.MaxName)} {
			v := driver.PresenceEvent{Group: group, Presence: driver.Presence{ID: "1", Key: "ann", Since: time.Now()}}
			format, rest, err := d.presenceRest(v)
			if err != nil {
				t.Fatal(err)
			}
			whole, err := d.presenceMessage(driver.Changed, v)
			if got := presenceStart(format, driver.Changed.Name, group) + rest; err != nil || got != whole {
				t.Errorf("%q (%v), want %q", got, err, whole)
			}
		}
	}
	if _, _, err := encoding(t, wire.JSON).presenceRest(driver.PresenceEvent{Group: "a\"b"}); err == nil {
		t.Error("a name that has to be escaped was taken")
	}
}
