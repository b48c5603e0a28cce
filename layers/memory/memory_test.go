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

// listener counts what it is given.
type listener struct{ events, messages int }

func (l *listener) Deliver(*protocol.Event) bool  { l.events++; return false }
func (l *listener) Offer(*protocol.Prepared) bool { l.messages++; return false }

func TestLayersDoNotHearEachOther(t *testing.T) {
	t.Parallel()
	ctx, poke := context.Background(), protocol.EventType[struct{}]{Name: "poke"}
	all := map[*layers.Layer]*listener{memory.New(): {}, memory.New(): {}, layers.Default(): {}}
	if len(all) != 3 {
		t.Fatal("New has returned a layer that was there before")
	}
	for l, m := range all {
		if err := l.Join(ctx, "memory.test", m); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Leave("memory.test", m) })
	}
	for l, m := range all {
		if err := l.GroupSend(ctx, "memory.test", poke.New(struct{}{})); err != nil {
			t.Error(err)
		}
		if err := l.Broadcast(ctx, "memory.test", protocol.Text("x")); err != nil {
			t.Error(err)
		}
		if m.events != 1 || m.messages != 1 {
			t.Errorf("the layer's own member got %d events and %d messages, want one each", m.events, m.messages)
		}
	}
	for _, m := range all {
		if m.events != 1 || m.messages != 1 {
			t.Errorf("a member got %d events and %d messages, want only those of its own layer", m.events, m.messages)
		}
	}
}
