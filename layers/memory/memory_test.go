package memory_test

import (
	"context"
	"testing"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/layers/memory"
	"github.com/wye-go/wye/protocol"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// open returns a layer over d, and closes it at the end.
func open(t *testing.T, d layers.Driver) *layers.Layer {
	t.Helper()
	l, err := layers.Open(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return l
}

// job returns an event for a named channel.
func job(n int) *protocol.Event {
	return protocol.EventType[map[string]int]{Name: "job"}.New(map[string]int{"n": n})
}

// listener counts what it is given.
type listener struct{ events, messages int }

func (l *listener) Deliver(*protocol.Event) bool  { l.events++; return false }
func (l *listener) Offer(*protocol.Prepared) bool { l.messages++; return false }

// sendAll joins a member to each layer, sends an event and a message to each, and wants each
// member to receive so many of both.
func sendAll(t *testing.T, want int, all ...*layers.Layer) {
	t.Helper()
	ctx, members := t.Context(), make([]*listener, len(all))
	for i, l := range all {
		members[i] = &listener{}
		if err := l.Join(ctx, "memory.test", members[i]); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Leave("memory.test", members[i]) })
	}
	for _, l := range all {
		if err := l.GroupSend(ctx, "memory.test", job(1)); err != nil {
			t.Error(err)
		}
		if err := l.Broadcast(ctx, "memory.test", protocol.Text("x")); err != nil {
			t.Error(err)
		}
	}
	for i, m := range members {
		if m.messages == 0 { // a message of another node is an event that holds one
			m.messages = m.events - want
		}
		if m.events+m.messages != 2*want {
			t.Errorf("the member of layer %d got %d events and %d messages, want %d of each", i, m.events, m.messages, want)
		}
	}
}

func TestLayersOfTheirOwnDoNotHearEachOther(t *testing.T) {
	t.Parallel()
	sendAll(t, 1, open(t, memory.New(nil)), open(t, memory.New(nil)), new(layers.Layer), layers.NewLocal(nil), layers.Default())
}

func TestLayersOfAHubHearEachOther(t *testing.T) {
	t.Parallel()
	h := memory.NewHub(nil)
	sendAll(t, 3, open(t, h.Node()), open(t, h.Node()), open(t, h.Node()))
}

func TestADriverIsOpenedOnce(t *testing.T) {
	t.Parallel()
	d := memory.New(nil)
	open(t, d)
	if l, err := layers.Open(t.Context(), d); err == nil {
		t.Errorf("opened again: %v", l)
	}
}
