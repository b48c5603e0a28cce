package redis_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/wye-go/wye/internal/redistest"
	"github.com/wye-go/wye/internal/testkit"
)

// TestInteropDirect sends to the channels of consumers.
func TestInteropDirect(t *testing.T) {
	t.Parallel()
	for _, dialect := range dialects() {
		t.Run(dialect.name, func(t *testing.T) {
			t.Parallel()
			config, o := dialect.on(t, shared)
			here, there := openLayer(t, o), openLayer(t, o)
			django := startDjango(t, "pubsub", config, shared)
			m, name := bound(t, here)
			channel := django.newChannel(t)
			if !strings.HasPrefix(channel, o.Prefix+"specific.") {
				t.Fatalf("Django's consumer is called %q", channel)
			}
			django.call(t, "send", name, "{'type': 'chat.message', 'text': 'to you'}")
			m.wantReceives(t, testkit.Here(), event("chat.message", fields{"text": "to you"}))
			wantSent(t, testkit.Here(), there.Send(t.Context(), name, event("chat.message", fields{"text": "from a node"})))
			m.wantReceives(t, testkit.Here(), event("chat.message", fields{"text": "from a node"}))
			wantSent(t, testkit.Here(), here.Send(t.Context(), channel, event("chat.message", fields{"text": "to Django"})))
			django.wantReceives(t, testkit.Here(), channel, "{'text': 'to Django', 'type': 'chat.message'}")
			// Nobody there is not an error.
			wantSent(t, testkit.Here(), here.Send(t.Context(), channel[:len(channel)-4]+"0000", event("x", fields{})))
			django.call(t, "send", name[:len(name)-4]+"AAAA", "{'type': 'x'}")
			django.call(t, "send", name, "{'type': 'last'}")
			m.wantReceives(t, testkit.Here(), event("last", fields{}))
		})
	}
}

// TestInteropServers shares several servers, of which the hash of a name selects one.
func TestInteropServers(t *testing.T) {
	t.Parallel()
	servers := []*redistest.Server{redistest.New(t, redistest.Options{}), redistest.New(t, redistest.Options{}), shared}
	config, o := dialect{}.on(t, servers...)
	here, there := openLayer(t, o), openLayer(t, o)
	django := startDjango(t, "pubsub", config, servers...)
	groups := make([]string, 20)
	for i := range groups {
		groups[i] = fmt.Sprintf("room.%d", i)
	}
	a, b := joined(t, here, groups...), joined(t, there, groups...)
	channel := django.joins(t, groups...)
	for i, group := range groups {
		wantSent(t, testkit.Here(), here.GroupSend(t.Context(), group, event("of.Wye", fields{"i": int64(i)})))
		django.wantReceives(t, testkit.Here(), channel, fmt.Sprintf("{'i': %d, 'type': 'of.Wye'}", i))
		django.call(t, "group_send", group, fmt.Sprintf("{'type': 'of.Django', 'i': %d}", i))
		django.wantReceives(t, testkit.Here(), channel, fmt.Sprintf("{'i': %d, 'type': 'of.Django'}", i))
		for _, m := range []member{a, b} {
			m.wantReceives(t, testkit.Here(), event("of.Wye", fields{"i": int64(i)}), event("of.Django", fields{"i": int64(i)}))
		}
	}
	for i := range 10 {
		m, name := bound(t, here)
		channel := django.newChannel(t)
		wantSent(t, testkit.Here(), there.Send(t.Context(), channel, event("direct", fields{"i": i})))
		django.wantReceives(t, testkit.Here(), channel, fmt.Sprintf("{'i': %d, 'type': 'direct'}", i))
		wantSent(t, testkit.Here(), there.Send(t.Context(), name, event("direct", fields{"i": i})))
		django.call(t, "send", name, fmt.Sprintf("{'type': 'direct', 'i': %d}", i))
		m.wantReceives(t, testkit.Here(), event("direct", fields{"i": int64(i)}))
		m.wantReceives(t, testkit.Here(), event("direct", fields{"i": int64(i)}))
	}
}
