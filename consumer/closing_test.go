package consumer_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/consumer/consumertest"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/layers/layertest"
	"github.com/wye-go/wye/protocol"
)

// nodes returns two layers that a broker connects.
func nodes(t *testing.T) (here, there *layers.Layer) {
	t.Helper()
	b := layertest.NewBroker(nil)
	open := func() *layers.Layer {
		l, err := layers.Open(t.Context(), b.Node())
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
	return open(), open()
}

// CloseGroup closes the members on all nodes, also one whose callback is busy.
func TestCloseGroup(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		here, there := nodes(t)
		free, disconnected := make(chan struct{}), make(chan consumer.CloseStatus, 3)
		app := consumer.New(func(s *consumer.Scope) *stub {
			name := strings.Trim(s.Path(), "/")
			return &stub{
				connect:    func(ctx context.Context, c *consumer.Conn) error { return c.Join(ctx, name) },
				receive:    func(context.Context, *consumer.Conn, consumer.Message) error { <-free; return nil },
				disconnect: func(_ context.Context, _ *consumer.Conn, s consumer.CloseStatus) { disconnected <- s },
			}
		})
		ann := consumertest.Connect(t, layers.Middleware(here)(app), "/banned/", nil)
		bob := consumertest.Connect(t, layers.Middleware(there)(app), "/banned/", nil)
		eve := consumertest.Connect(t, layers.Middleware(there)(app), "/other/", nil)
		bob.SendText("keeps its callback busy")
		synctest.Wait()

		if err := here.CloseGroup(t.Context(), "banned", 4003, "banned"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		for _, c := range []*consumertest.Client{ann, bob} {
			if got := c.WantClose(4003); got.Reason != "banned" {
				t.Errorf("closed with the reason %q, want banned", got.Reason)
			}
		}
		if len(disconnected) != 1 {
			t.Errorf("%d connections have run Disconnect while a callback is busy, want 1", len(disconnected))
		}
		close(free)
		synctest.Wait()
		for range 2 {
			if got := <-disconnected; got.Code != 4003 || got.Remote {
				t.Errorf("disconnected with %+v, want our own 4003", got)
			}
		}
		eve.WantNothing()
	})
}

// CloseChannel closes one connection, also on another node.
func TestCloseChannel(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		here, there := nodes(t)
		app, conns := keep()
		ann := consumertest.Connect(t, layers.Middleware(there)(app), "/", nil)
		channel := (<-conns).Channel()
		bob := consumertest.Connect(t, layers.Middleware(there)(app), "/", nil)
		if err := here.CloseChannel(t.Context(), channel, 4001, "signed in elsewhere"); err != nil {
			t.Fatal(err)
		}
		ann.WantClose(4001)
		ann.WantOver()
		bob.WantNothing()
		for name, call := range map[string]func() error{
			"closed":        func() error { return here.CloseChannel(t.Context(), channel, 4001, "") },
			"closed here":   func() error { return there.CloseChannel(t.Context(), channel, 4001, "") },
			"empty group":   func() error { return here.CloseGroup(t.Context(), "empty", 4001, "") },
			"another event": func() error { return there.Send(t.Context(), channel, layers.Close.New(layers.Closing{Code: 4001})) },
		} {
			if err := call(); err != nil {
				t.Errorf("%s: %v, want no error", name, err)
			}
		}
	})
}

func TestCloseGroupErrors(t *testing.T) {
	t.Parallel()
	l := new(layers.Layer)
	for _, row := range []struct {
		at   testkit.Line
		err  error
		want string
	}{
		{testkit.Here(), l.CloseGroup(t.Context(), "g", 1006, ""), "1006"},
		{testkit.Here(), l.CloseGroup(t.Context(), "g", 99, ""), "3000 to 4999"},
		{testkit.Here(), l.CloseGroup(t.Context(), "no name", 4000, ""), "no name"},
		{testkit.Here(), l.CloseChannel(t.Context(), "thumbnails", 4000, ""), "Conn.Channel"},
		{testkit.Here(), l.CloseChannel(t.Context(), l.NewChannel(), 1005, ""), "1005"},
	} {
		if row.err == nil || !strings.Contains(row.err.Error(), row.want) {
			t.Errorf("%s: got %v, want %q in it", row.at, row.err, row.want)
		}
	}
}

// After JoinFrom a stand-in is in the group in place of the member. Closing the stand-in
// closes the member.
func TestCloseGroupWhileAMemberReadsHistory(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		app, conns := keep()
		app, l := onLayer(app)
		ann := consumertest.Connect(t, app, "/", nil)
		c := <-conns
		if _, err := c.Record(t.Context(), "g", protocol.SendType.New(protocol.Text("old")), layers.Retention{}); err != nil {
			t.Fatal(err)
		}
		if _, err := c.JoinFrom(t.Context(), "g", layers.Range{}); err != nil {
			t.Fatal(err)
		}
		if err := l.CloseGroup(t.Context(), "g", 4000, ""); err != nil {
			t.Fatal(err)
		}
		ann.WantClose(4000)
	})
}

// GroupSendCount counts the members in this process, and TrySend reports whether a
// connection has the channel name.
func TestGroupSendCountAndTrySend(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		app, conns := keep()
		l, other := nodes(t)
		var all []*consumer.Conn
		for range 3 {
			consumertest.Connect(t, layers.Middleware(l)(app), "/", nil)
			all = append(all, <-conns)
		}
		consumertest.Connect(t, layers.Middleware(other)(app), "/", nil)
		elsewhere := <-conns
		for _, c := range append(slices.Clone(all[:2]), elsewhere) {
			if err := c.Join(t.Context(), "g"); err != nil {
				t.Fatal(err)
			}
		}
		e := protocol.SendType.New(protocol.Text("hello"))
		for group, want := range map[string]int{"g": 2, "h": 0} {
			if got, err := l.GroupSendCount(t.Context(), group, e, nil); got != want || err != nil {
				t.Errorf("%s: reached %d, %v; want %d", group, got, err, want)
			}
		}
		if err := l.Broadcast(t.Context(), "h", protocol.Text("hello")); err != nil {
			t.Error(err)
		}
		channel := all[2].Channel()
		if err := l.TrySend(t.Context(), channel, e); err != nil {
			t.Errorf("TrySend to an open connection: %v", err)
		}
		all[2].Close(protocol.CloseNormal, "")
		synctest.Wait()
		if err := l.TrySend(t.Context(), channel, e); !errors.Is(err, layers.ErrNoConsumer) {
			t.Errorf("TrySend to a closed connection: %v, want ErrNoConsumer", err)
		}
		if err := l.Send(t.Context(), channel, e); err != nil {
			t.Errorf("Send to a closed connection: %v, want no error", err)
		}
		if err := l.TrySend(t.Context(), "specific.nowhere!x", e); !errors.Is(err, layers.ErrNoConsumer) {
			t.Errorf("TrySend to an unknown node: %v, want ErrNoConsumer from this driver", err)
		}
		if got := l.Stats().Unheard; got != 4 { // two sends to an empty group, two to a closed connection
			t.Errorf("%d sends counted as Unheard, want 4", got)
		}
	})
}

func TestBroadcastOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		app, conns := keep()
		app, _ = onLayer(app)
		clients, all := []*consumertest.Client{}, []*consumer.Conn{}
		for range 2 {
			clients = append(clients, consumertest.Connect(t, app, "/", nil))
			all = append(all, <-conns)
			if err := all[len(all)-1].Join(t.Context(), "g"); err != nil {
				t.Fatal(err)
			}
		}
		if err := all[0].BroadcastOthers(t.Context(), "g", protocol.Text("hello")); err != nil {
			t.Fatal(err)
		}
		clients[1].WantText("hello")
		clients[0].WantNothing()
	})
}
