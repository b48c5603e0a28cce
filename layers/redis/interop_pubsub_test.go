package redis_test

import (
	"fmt"
	"maps"
	"math"
	"strings"
	"testing"

	"github.com/wye-go/wye/internal/redistest"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/layers/redis"
	"github.com/wye-go/wye/protocol"
)

// dialect is a way to write messages, as Django and Wye are told.
type dialect struct {
	name   string
	config fields
	o      redis.Options
}

// dialects returns those that both know. With rotated keys, each side encrypts with a key
// that is the other's second one.
func dialects() []dialect {
	return []dialect{
		{"msgpack", fields{}, redis.Options{}},
		{"json", fields{"serializer_format": "json"}, redis.Options{Serializer: "json"}},
		{
			"msgpack-encrypted", fields{"symmetric_encryption_keys": []string{"a key"}},
			redis.Options{EncryptionKeys: []string{"a key"}},
		},
		{
			"msgpack-rotated", fields{"symmetric_encryption_keys": []string{"new", "old"}},
			redis.Options{EncryptionKeys: []string{"old", "new"}},
		},
		{
			"json-rotated", fields{"serializer_format": "json", "symmetric_encryption_keys": []string{"old", "new"}},
			redis.Options{Serializer: "json", EncryptionKeys: []string{"new", "old"}},
		},
	}
}

// on returns the configurations of Django and of a node with these servers, and a prefix that
// no other test has.
func (d dialect) on(t *testing.T, servers ...*redistest.Server) (config fields, o redis.Options) {
	t.Helper()
	o = d.o
	o.Prefix = strings.NewReplacer("/", ".", "#", "-").Replace(t.Name())
	config = fields{"prefix": o.Prefix}
	maps.Copy(config, d.config)
	for _, s := range servers {
		o.URLs = append(o.URLs, s.URL())
	}
	config["hosts"] = o.URLs
	return config, o
}

// TestInteropGroups has two nodes, and a process of Django Channels, send to each other in
// groups.
func TestInteropGroups(t *testing.T) {
	t.Parallel()
	for _, dialect := range dialects() {
		t.Run(dialect.name, func(t *testing.T) {
			t.Parallel()
			config, o := dialect.on(t, shared)
			here, there := openLayer(t, o), openLayer(t, o)
			django := startDjango(t, "pubsub", config, shared)
			a, b := joined(t, here, "room"), joined(t, there, "room")
			channel := django.joins(t, "room")

			wantSent(t, testkit.Here(), here.GroupSend(t.Context(), "room", event("chat.message", fields{"text": "from Wye", "n": 7})))
			django.wantReceives(t, testkit.Here(), channel, "{'n': 7, 'text': 'from Wye', 'type': 'chat.message'}")

			django.call(t, "group_send", "room", "{'type': 'chat.message', 'text': 'from Django', 'n': 8}")
			django.wantReceives(t, testkit.Here(), channel, "{'n': 8, 'text': 'from Django', 'type': 'chat.message'}")

			// What a node has sent itself does not come back to it.
			for _, m := range []member{a, b} {
				m.wantReceives(t, testkit.Here(), event("chat.message", fields{"text": "from Wye", "n": int64(7)}),
					event("chat.message", fields{"text": "from Django", "n": int64(8)}))
			}

			// A message for peers is an event for Django.
			wantSent(t, testkit.Here(), here.Broadcast(t.Context(), "room", protocol.Text("ready")))
			django.wantReceives(t, testkit.Here(), channel, "{'text': 'ready', 'type': 'websocket.send'}")
			django.call(t, "group_send", "room", "{'type': 'websocket.send', 'text': 'steady'}")
			for _, m := range []member{a, b} {
				m.wantReceives(t, testkit.Here(), event("websocket.send", fields{"text": "ready"}), event("websocket.send", fields{"text": "steady"}))
			}

			// Who has left receives nothing more.
			here.Leave("room", a)
			django.call(t, "group_discard", "room", channel)
			django.call(t, "group_send", "room", "{'type': 'last'}")
			b.wantReceives(t, testkit.Here(), event("last", fields{}))
			if n := len(a); n != 0 {
				t.Errorf("the member that has left has received %d events", n)
			}
		})
	}
}

// unusual is a message as Python and as Go have it.
type unusual struct {
	at       testkit.Line
	name     string
	python   string // without the type
	payload  any    // what Go sends
	received fields // what Go receives from Python; nil: the payload
	only     string // the serializer that can carry it; "": both
}

func unusuals() []unusual {
	long := strings.Repeat("é", 50_000)
	deep, deepPython := any("x"), "'x'"
	for range 60 {
		deep, deepPython = []any{deep}, "["+deepPython+"]"
	}
	return []unusual{
		{testkit.Here(), "empty", "", fields{}, nil, ""},
		{
			testkit.Here(), "kinds", "'e': '', 'ed': {}, 'el': [], 'f': 1.5, 'i': -1, 'l': [1, [2, 3]], 'n': None, 't': True, 'u': 300",
			fields{
				"e": "", "ed": fields{}, "el": []any{}, "f": 1.5, "i": int64(-1), "l": []any{int64(1), []any{int64(2), int64(3)}},
				"n": nil, "t": true, "u": int64(300),
			}, nil, "",
		},
		{
			testkit.Here(), "numbers", "'a': 1099511627776, 'b': 18446744073709551615, 'c': -9223372036854775808, 'd': 1e+300",
			fields{"a": int64(1) << 40, "b": uint64(math.MaxUint64), "c": int64(math.MinInt64), "d": 1e300}, nil, "",
		},
		{testkit.Here(), "bytes", `'b': b'\x00\xff', 'eb': b''`, fields{"b": []byte{0, 255}, "eb": []byte{}}, nil, "msgpack"},
		{testkit.Here(), "floats", "'i': inf, 'n': nan", fields{"i": math.Inf(1), "n": math.NaN()}, nil, "msgpack"},
		{
			testkit.Here(), "texts", `'a': 'é€😀', 'b': '\x00\n"\'\\', 'é': '\u2028', ` + "'z': '<&>'",
			fields{"a": "é€😀", "b": "\x00\n\"'\\", "é": "\u2028", "z": "<&>"}, nil, "",
		},
		{testkit.Here(), "long", "'s': '" + long + "'", fields{"s": long}, nil, ""},
		{testkit.Here(), "deep", "'d': " + deepPython, fields{"d": deep}, nil, ""},
		{testkit.Here(), "names", "'__asgi_x__': 1, 'Type': 2, 'a.b': 3, 'text type': 4", fields{"__asgi_x__": int64(1), "Type": int64(2), "a.b": int64(3), "text type": int64(4)}, nil, ""},
		{
			testkit.Here(), "struct", "'from': 'Ann', 'tags': ['a']",
			struct {
				From string   `json:"from"`
				Tags []string `json:"tags"`
				None int      `json:"none,omitempty"`
			}{From: "Ann", Tags: []string{"a"}}, fields{"from": "Ann", "tags": []any{"a"}}, "",
		},
	}
}

// exchangeUnusuals sends payloads of all kinds: to the group to.Django, in which channel is, and
// from Django to the group to.Wye, in which m is.
func exchangeUnusuals(t *testing.T, d dialect, l *layers.Layer, m member, django *django, channel string) {
	t.Helper()
	for _, row := range unusuals() {
		if row.only != "" && !strings.HasPrefix(d.name, row.only) {
			continue
		}
		t.Run(row.name, func(t *testing.T) {
			wantSent(t, row.at, l.GroupSend(t.Context(), "to.Django", event("unusual", row.payload)))
			python := strings.Trim(row.python+", 'type': 'unusual'", ", ")
			got := django.call(t, "receive", channel)
			if want := django.call(t, "normal", "{"+python+"}"); got != want {
				t.Errorf("%s: Django receives\n%s, want\n%s", row.at, got, want)
			}
			django.call(t, "group_send", "to.Wye", "{"+python+"}")
			want := row.received
			if want == nil {
				want = row.payload.(fields)
			}
			m.wantReceives(t, row.at, event("unusual", want))
		})
	}
}

// TestInteropUnusual sends payloads of all kinds, to groups in both directions.
func TestInteropUnusual(t *testing.T) {
	t.Parallel()
	for _, dialect := range dialects() {
		t.Run(dialect.name, func(t *testing.T) {
			t.Parallel()
			config, o := dialect.on(t, shared)
			l := openLayer(t, o)
			django := startDjango(t, "pubsub", config, shared)
			m, channel := joined(t, l, "to.Wye"), django.joins(t, "to.Django")
			exchangeUnusuals(t, dialect, l, m, django, channel)
		})
	}
}

// TestInteropForeign publishes to a group what no layer sends: it is dropped, and what comes
// after it arrives.
func TestInteropForeign(t *testing.T) {
	t.Parallel()
	for _, dialect := range dialects() {
		t.Run(dialect.name, func(t *testing.T) {
			t.Parallel()
			config, o := dialect.on(t, shared)
			l := openLayer(t, o)
			django := startDjango(t, "pubsub", config, shared)
			m := joined(t, l, "room")
			for _, message := range []string{
				"", "x", "\xc1", "\x80", "{}", "null", "[]", `{"type": 1}`, `{"type": ""}`, `{"text": "no type"}`, "\x81\xa4type\x01",
				"\x81\xa4type", "gAAAAABlU_EA", strings.Repeat("\x91", 1000), strings.Repeat("[", 100_000), "\xdf\xff\xff\xff\xff",
			} {
				shared.CLI(t, "PUBLISH", o.Prefix+"__group__room", message)
			}
			for _, message := range []string{"{'text': 'no type'}", "{'type': None}", "{'type': ''}"} {
				django.call(t, "group_send", "room", message)
			}
			django.call(t, "group_send", "room", "{'type': 'last'}")
			m.wantReceives(t, testkit.Here(), event("last", fields{}))
		})
	}
}

// TestInteropOrder sends many events to one group in each direction.
func TestInteropOrder(t *testing.T) {
	t.Parallel()
	config, o := dialect{}.on(t, shared)
	l := openLayer(t, o)
	django := startDjango(t, "pubsub", config, shared)
	m, channel := joined(t, l, "to.Wye"), django.joins(t, "to.Django")
	n := testkit.Count(500, 50)
	for i := range n {
		wantSent(t, testkit.Here(), l.GroupSend(t.Context(), "to.Django", event("of.Wye", fields{"i": i})))
		django.call(t, "group_send", "to.Wye", fmt.Sprintf("{'type': 'of.Django', 'i': %d}", i))
	}
	for i := range n {
		django.wantReceives(t, testkit.Here(), channel, fmt.Sprintf("{'i': %d, 'type': 'of.Wye'}", i))
		m.wantReceives(t, testkit.Here(), event("of.Django", fields{"i": int64(i)}))
	}
}
