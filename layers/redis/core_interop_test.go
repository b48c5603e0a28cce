package redis_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/wye-go/wye/internal/redistest"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/layers/redis"
	"github.com/wye-go/wye/protocol"
)

// coreOn is dialect.on for nodes with Core.
func (d dialect) coreOn(t *testing.T, servers ...*redistest.Server) (config fields, o redis.Options) {
	t.Helper()
	config, o = d.on(t, servers...)
	o.Backend = redis.Core
	return config, o
}

// enters returns the channel of a new Django consumer that is a member of the groups, with
// channels_redis.core.
func (d *django) enters(t *testing.T, groups ...string) (channel string) {
	t.Helper()
	channel = d.call(t, "new_channel")
	for _, group := range groups {
		d.call(t, "group_add", group, channel)
	}
	return channel
}

// TestCoreGroups has two nodes, and two processes of Django Channels, send to each other in
// groups.
func TestCoreGroups(t *testing.T) {
	t.Parallel()
	for _, dialect := range dialects() {
		t.Run(dialect.name, func(t *testing.T) {
			t.Parallel()
			config, o := dialect.coreOn(t, shared)
			here, there := openLayer(t, o), openLayer(t, o)
			django, other := startDjango(t, "core", config), startDjango(t, "core", config)
			// The longest name that a group may have.
			group := "room-" + strings.Repeat("x", 94)
			a, b := joined(t, here, group), joined(t, there, group)
			channels := []string{django.enters(t, group), django.enters(t, group)}
			single := other.enters(t, group)
			reaches := func(at testkit.Line, want string) {
				t.Helper()
				for _, channel := range channels {
					django.wantReceives(t, at, channel, want)
				}
				other.wantReceives(t, at, single, want)
			}

			wantSent(t, testkit.Here(), here.GroupSend(t.Context(), group, event("chat.message", fields{"text": "from Wye", "n": 7})))
			reaches(testkit.Here(), "{'n': 7, 'text': 'from Wye', 'type': 'chat.message'}")

			django.call(t, "group_send", group, "{'type': 'chat.message', 'text': 'from Django', 'n': 8}")
			reaches(testkit.Here(), "{'n': 8, 'text': 'from Django', 'type': 'chat.message'}")

			// What a node has sent itself does not come back to it.
			for _, m := range []member{a, b} {
				m.wantReceives(t, testkit.Here(), event("chat.message", fields{"text": "from Wye", "n": int64(7)}),
					event("chat.message", fields{"text": "from Django", "n": int64(8)}))
			}

			wantSent(t, testkit.Here(), here.Broadcast(t.Context(), group, protocol.Text("ready")))
			reaches(testkit.Here(), "{'text': 'ready', 'type': 'websocket.send'}")
			for _, m := range []member{a, b} {
				m.wantReceives(t, testkit.Here(), event("websocket.send", fields{"text": "ready"}))
			}

			// Who has left receives nothing more.
			here.Leave(group, a)
			django.call(t, "group_discard", group, channels[0])
			django.call(t, "group_send", group, "{'type': 'last'}")
			b.wantReceives(t, testkit.Here(), event("last", fields{}))
			django.wantReceives(t, testkit.Here(), channels[1], "{'type': 'last'}")
			if n := len(a); n != 0 {
				t.Errorf("the member that has left has received %d events", n)
			}
		})
	}
}

// TestCoreDirect sends to single consumers, of Django and of Wye, by their channels. On several
// servers, channels_redis sends by the hash of the whole name, and receives by that of the
// process.
func TestCoreDirect(t *testing.T) {
	t.Parallel()
	one := []*redistest.Server{shared}
	three := []*redistest.Server{redistest.New(t, redistest.Options{}), redistest.New(t, redistest.Options{}), shared}
	for _, row := range []struct {
		name    string
		dialect dialect
		servers []*redistest.Server
	}{
		{"msgpack", dialects()[0], one},
		{"json-rotated", dialects()[4], one},
		{"three-servers", dialects()[0], three},
		{"three-servers-rotated", dialects()[3], three},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			config, o := row.dialect.coreOn(t, row.servers...)
			here, there := openLayer(t, o), openLayer(t, o)
			django := startDjango(t, "core", config)
			for i := range 15 {
				m, channel := bound(t, here)
				django.call(t, "send", channel, fmt.Sprintf("{'type': 'reply', 'i': %d}", i))
				m.wantReceives(t, testkit.Here(), event("reply", fields{"i": int64(i)}))
				wantSent(t, testkit.Here(), there.Send(t.Context(), channel, event("reply", fields{"i": -i})))
				m.wantReceives(t, testkit.Here(), event("reply", fields{"i": int64(-i)}))
				channel = django.call(t, "new_channel")
				wantSent(t, testkit.Here(), here.Send(t.Context(), channel, event("reply", fields{"i": i})))
				django.wantReceives(t, testkit.Here(), channel, fmt.Sprintf("{'i': %d, 'type': 'reply'}", i))
			}
		})
	}
}

// TestCoreServers has groups on three servers, as the hash of channels_redis distributes them.
func TestCoreServers(t *testing.T) {
	t.Parallel()
	config, o := dialects()[0].coreOn(t, redistest.New(t, redistest.Options{}), redistest.New(t, redistest.Options{}), shared)
	here, d := open(t, o)
	there, django := openLayer(t, o), startDjango(t, "core", config)
	const groups = 24
	for n := range groups {
		group := fmt.Sprint("room-", n)
		m, far := joined(t, here, group), joined(t, there, group)
		channel := django.enters(t, group)
		django.call(t, "group_send", group, "{'type': 'of.Django'}")
		m.wantReceives(t, testkit.Here(), event("of.Django", fields{}))
		far.wantReceives(t, testkit.Here(), event("of.Django", fields{}))
		wantSent(t, testkit.Here(), there.GroupSend(t.Context(), group, event("of.there", fields{})))
		m.wantReceives(t, testkit.Here(), event("of.there", fields{}))
		wantSent(t, testkit.Here(), here.GroupSend(t.Context(), group, event("of.here", fields{})))
		far.wantReceives(t, testkit.Here(), event("of.there", fields{}), event("of.here", fields{}))
		django.wantReceives(t, testkit.Here(), channel, "{'type': 'of.Django'}", "{'type': 'of.there'}", "{'type': 'of.here'}")
	}
	for i, s := range d.Stats().Servers {
		if s.Groups == 0 || s.Groups == groups || s.Down != nil || s.Lag <= 0 {
			t.Errorf("server %d: %+v, want it to be up and to have some of the groups", i, s)
		}
	}
}

// TestCoreUnusual sends payloads of all kinds, to groups in both directions.
func TestCoreUnusual(t *testing.T) {
	t.Parallel()
	for _, dialect := range dialects() {
		t.Run(dialect.name, func(t *testing.T) {
			t.Parallel()
			config, o := dialect.coreOn(t, shared)
			l := openLayer(t, o)
			django := startDjango(t, "core", config)
			m, channel := joined(t, l, "to.Wye"), django.enters(t, "to.Django")
			exchangeUnusuals(t, dialect, l, m, django, channel)
		})
	}
}

// TestCoreOrder sends many events to one group in each direction: channels_redis orders them by
// the time of the sender, and a node by that of the server.
func TestCoreOrder(t *testing.T) {
	t.Parallel()
	config, o := dialect{}.coreOn(t, shared)
	l := openLayer(t, o)
	django := startDjango(t, "core", config)
	m, channel := joined(t, l, "to.Wye"), django.enters(t, "to.Django")
	n := testkit.Count(300, 50)
	for i := range n {
		wantSent(t, testkit.Here(), l.GroupSend(t.Context(), "to.Django", event("of.Wye", fields{"i": i})))
		django.call(t, "group_send", "to.Wye", fmt.Sprintf("{'type': 'of.Django', 'i': %d}", i))
		django.wantReceives(t, testkit.Here(), channel, fmt.Sprintf("{'i': %d, 'type': 'of.Wye'}", i))
	}
	for i := range n {
		m.wantReceives(t, testkit.Here(), event("of.Django", fields{"i": int64(i)}))
	}
}

// TestCoreForeign puts into the queue of a node what no layer sends: it is dropped and counted,
// and what comes after it arrives.
func TestCoreForeign(t *testing.T) {
	t.Parallel()
	for _, dialect := range dialects() {
		t.Run(dialect.name, func(t *testing.T) {
			t.Parallel()
			config, o := dialect.coreOn(t, shared)
			l, d := open(t, o)
			django := startDjango(t, "core", config)
			m := joined(t, l, "room")
			queue, foreign := o.Prefix+"specific."+l.Node()+"!", []string{
				"", "x", "\xc1", "0123456789ab", "0123456789ab\xc1", "0123456789ab\x80", "0123456789ab{}", `0123456789ab{"type": "no channel"}`,
				"0123456789ab\x81\xa4type\xa1x", "0123456789abgAAAAABlU_EA", "0123456789ab" + strings.Repeat("[", 10_000), "wye.probe:x", "wye.probe:7",
			}
			now := time.Now().Unix() // Django removes what is older than a minute, and is counted by nobody
			for i, message := range foreign {
				shared.CLI(t, "ZADD", queue, fmt.Sprintf("%d.%03d", now, i), message)
			}
			django.call(t, "send", "specific."+l.Node()+"!nobody", "{'type': 'x'}")
			django.call(t, "group_send", "room", "{'text': 'no type'}")
			django.call(t, "group_send", "room", "{'type': 'last'}")
			m.wantReceives(t, testkit.Here(), event("last", fields{}))
			if got, want := d.Stats().Malformed, int64(len(foreign)-2+1); got != want {
				t.Errorf("%d messages are counted as malformed, want %d", got, want)
			}
		})
	}
}

// TestCoreCapacity has a consumer of Django that does not read.
func TestCoreCapacity(t *testing.T) {
	t.Parallel()
	config, o := dialect{}.coreOn(t, shared)
	o.Channels = []redis.ChannelLimit{{Pattern: "specific.*", Capacity: 3}}
	l, d := open(t, o)
	reads := joined(t, openLayer(t, o), "room")
	django := startDjango(t, "core", config)
	channel := django.enters(t, "room")
	for i := range 5 {
		wantSent(t, testkit.Here(), l.GroupSend(t.Context(), "room", event("x", fields{"i": i})))
		reads.wantReceives(t, testkit.Here(), event("x", fields{"i": int64(i)}))
	}
	if n := d.Stats().OverCapacity; n != 2 {
		t.Errorf("%d events are over capacity, want 2", n)
	}
	if err := l.Send(t.Context(), channel, event("x", fields{})); err == nil || !strings.Contains(err.Error(), "full") {
		t.Errorf("a send to a channel whose queue is full returns %v", err)
	}
	for i := range 3 {
		django.wantReceives(t, testkit.Here(), channel, fmt.Sprintf("{'i': %d, 'type': 'x'}", i))
	}
	wantSent(t, testkit.Here(), l.Send(t.Context(), channel, event("x", fields{})))
	django.wantReceives(t, testkit.Here(), channel, "{'type': 'x'}")
}

// TestCoreRecorded has a node record an event: nodes receive it with its position, also the one
// that has recorded it, and Django as an ordinary event.
func TestCoreRecorded(t *testing.T) {
	t.Parallel()
	for _, dialect := range dialects() {
		t.Run(dialect.name, func(t *testing.T) {
			t.Parallel()
			config, o := dialect.coreOn(t, shared)
			here, there := openLayer(t, o), openLayer(t, o)
			django := startDjango(t, "core", config)
			a, b := joined(t, here, "room"), joined(t, there, "room")
			channel := django.enters(t, "room")
			for i := range 5 {
				at, err := here.Record(t.Context(), "room", event("x", fields{"i": i}), layers.Retention{})
				if err != nil {
					t.Fatal(err)
				}
				for _, m := range []member{a, b} {
					e := testkit.Await(t, m, "the recorded event")
					if e.Position() != at || describe(e) != describe(event("x", fields{"i": int64(i)})) {
						t.Errorf("received %s at %v, want event %d at %v", describe(e), e.Position(), i, at)
					}
				}
				django.wantReceives(t, testkit.Here(), channel, fmt.Sprintf("{'i': %d, 'type': 'x'}", i))
			}
		})
	}
}
