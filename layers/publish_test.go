package layers_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/layers/layertest"
	"github.com/wye-go/wye/protocol"
)

// doomed is a connection that whatever reaches it closes, which ends its ctx.
type doomed struct{ end context.CancelFunc }

func (m *doomed) Deliver(*protocol.Event) bool     { m.end(); return false }
func (m *doomed) Offer(*protocol.Prepared) bool    { m.end(); return false }
func (m *doomed) Close(protocol.CloseCode, string) { m.end() }

// closable is a member on another node.
type closable struct {
	member
	closed bool
}

func (m *closable) Close(protocol.CloseCode, string) { m.closed = true }

// TestASendThatClosesItsSenderReachesOtherNodes: the sender is a member, and its ctx ends
// while the send delivers in its own process.
func TestASendThatClosesItsSenderReachesOtherNodes(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		at    testkit.Line
		name  string
		send  func(ctx context.Context, l *layers.Layer) error
		check func(m *closable) bool
	}{
		{testkit.Here(), "CloseGroup", func(ctx context.Context, l *layers.Layer) error {
			return l.CloseGroup(ctx, "g", 4001, "signed out")
		}, func(m *closable) bool { return m.closed }},
		{testkit.Here(), "GroupSend", func(ctx context.Context, l *layers.Layer) error {
			return l.GroupSend(ctx, "g", noted().New(note{"ann", 1}))
		}, func(m *closable) bool { notes, _ := m.got(); return notes == 1 }},
		{testkit.Here(), "Broadcast", func(ctx context.Context, l *layers.Layer) error {
			return l.Broadcast(ctx, "g", protocol.Text("hello"))
		}, func(m *closable) bool { return len(m.mu.events) == 1 || len(m.mu.messages) == 1 }},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				broker := layertest.NewBroker(nil)
				defer broker.Close()
				here, there := open(t, broker.Node()), open(t, broker.Node())
				ctx, end := context.WithCancel(t.Context())
				other := &closable{}
				join(t, here, "g", &doomed{end: end})
				join(t, there, "g", other)

				err := test.send(ctx, here)
				synctest.Wait()
				if err != nil || ctx.Err() == nil || !test.check(other) {
					t.Errorf("%s: returned %v, and the member of the other node has not got it", test.at, err)
				}
			})
		})
	}
}

// TestASendWithAnEndedContextDoesNothing: only what ends during the send is passed over.
func TestASendWithAnEndedContextDoesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		broker := layertest.NewBroker(nil)
		defer broker.Close()
		here, there := open(t, broker.Node()), open(t, broker.Node())
		other := &closable{}
		join(t, there, "g", other)
		ended, end := context.WithCancel(t.Context())
		end()
		if err := here.CloseGroup(ended, "g", 4001, ""); err == nil {
			t.Error("a CloseGroup with a ctx that had ended returned nil")
		}
		synctest.Wait()
		if other.closed {
			t.Error("it closed the member of the other node")
		}
	})
}
