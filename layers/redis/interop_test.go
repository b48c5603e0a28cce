package redis_test

import (
	"fmt"
	"testing"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/layers/redis"
	"github.com/wye-go/wye/protocol"
)

// openLayer opens a node for a test, which closes it.
func openLayer(t *testing.T, o redis.Options) *layers.Layer {
	t.Helper()
	l, _ := open(t, o)
	return l
}

func newMember() member { return make(member, 1000) }

// joined returns a new member of groups.
func joined(t *testing.T, l *layers.Layer, groups ...string) member {
	t.Helper()
	m := newMember()
	for _, group := range groups {
		if err := l.Join(t.Context(), group, m); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Leave(group, m) })
	}
	return m
}

// bound returns a new member that has a channel name.
func bound(t *testing.T, l *layers.Layer) (m member, channel string) {
	t.Helper()
	m, channel = newMember(), l.NewChannel()
	unbind, err := l.Bind(channel, m)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(unbind)
	return m, channel
}

// fields are the payload of an event as Go has it.
type fields = map[string]any

// event returns an event with a payload of any kind.
func event(typ string, payload any) *protocol.Event {
	return protocol.EventType[any]{Name: typ}.New(payload)
}

// describe returns the type and the payload of an event, for comparisons.
func describe(e *protocol.Event) string {
	payload, err := protocol.EventType[fields]{Name: e.Type()}.Payload(e)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%s %#v", e.Type(), payload)
}

// wantReceives waits until the member receives events, which must be these.
func (m member) wantReceives(t *testing.T, at testkit.Line, want ...*protocol.Event) {
	t.Helper()
	for i, want := range want {
		got := testkit.Await(t, m, fmt.Sprintf("%s: event %d of a member", at, i))
		if describe(got) != describe(want) {
			t.Errorf("%s: the member receives %s, want %s", at, describe(got), describe(want))
		}
	}
}

// send returns the error of a send as a failure of the test.
func wantSent(t *testing.T, at testkit.Line, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: the send has failed: %v", at, err)
	}
}
