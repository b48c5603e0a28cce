package consumer_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"weak"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/consumer/consumertest"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/protocol"
)

// room returns an application whose connections join the group that their path names, and
// broadcast what they receive.
func room() protocol.Application {
	return consumer.New(func(s *consumer.Scope) *stub {
		name := strings.Trim(s.Path(), "/")
		return &stub{
			connect: func(ctx context.Context, c *consumer.Conn) error { return c.Join(ctx, name) },
			receive: func(ctx context.Context, c *consumer.Conn, m consumer.Message) error {
				return c.Broadcast(ctx, name, m)
			},
			disconnect: func(ctx context.Context, c *consumer.Conn, _ consumer.CloseStatus) {
				_ = c.Broadcast(ctx, name, protocol.Text("bye"))
			},
		}
	})
}

func TestThreePersonChat(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		app, _ := onLayer(room())
		ann := consumertest.Connect(t, app, "/123/", nil)
		bob := consumertest.Connect(t, app, "/123/", nil)
		eve := consumertest.Connect(t, app, "/456/", nil)
		ann.SendText("hello")
		ann.WantText("hello")
		bob.WantText("hello")
		eve.WantNothing()
		bob.SendText("hi")
		ann.WantText("hi")
		bob.WantText("hi")
		bob.Close(protocol.CloseNormal, "")
		bob.WantOver()
		ann.WantText("bye")
		eve.WantNothing()
	})
}

func TestJoinAndLeave(t *testing.T) {
	t.Parallel()
	app, conns := keep()
	app, l := onLayer(app)
	ann := consumertest.Connect(t, app, "/", nil)
	c, ctx := testkit.Await(t, conns, "the connection"), t.Context()
	ended, cancel := context.WithCancelCause(ctx)
	cancel(errSecret)

	rows := []struct {
		at   testkit.Line
		name string
		do   func() error
		err  string
		want []string
	}{
		{testkit.Here(), "several at once", func() error { return c.Join(ctx, "b", "a", "c") }, "", []string{"b", "a", "c"}},
		{testkit.Here(), "again", func() error { return c.Join(ctx, "a", "b") }, "", []string{"b", "a", "c"}},
		{testkit.Here(), "none", func() error { return c.Join(ctx) }, "", []string{"b", "a", "c"}},
		{testkit.Here(), "leave", func() error { c.Leave("a", "nowhere", "not valid"); return nil }, "", []string{"b", "c"}},
		{testkit.Here(), "back again", func() error { return c.Join(ctx, "a") }, "", []string{"b", "c", "a"}},
		{testkit.Here(), "up to the invalid one", func() error { return c.Join(ctx, "d", "not valid", "e") }, `"not valid"`, []string{"b", "c", "a", "d"}},
		{testkit.Here(), "ctx is done", func() error { return c.Join(ended, "f") }, "swordfish", []string{"b", "c", "a", "d"}},
		{testkit.Here(), "leave all", func() error { c.Leave(c.Groups()...); return nil }, "", nil},
	}
	for _, row := range rows {
		err := row.do()
		if row.err == "" && err != nil || row.err != "" && (err == nil || !strings.Contains(err.Error(), row.err)) {
			t.Errorf("%s: %s: %v, want %q", row.at, row.name, err, row.err)
		}
		if got := c.Groups(); !slices.Equal(got, row.want) {
			t.Errorf("%s: %s: in %q, want %q", row.at, row.name, got, row.want)
		}
		// The layer agrees with Groups.
		for _, g := range []string{"a", "b", "c", "d", "e", "f"} {
			if err := l.Broadcast(ctx, g, protocol.Text(g)); err != nil {
				t.Fatal(err)
			}
		}
		for _, g := range slices.Sorted(slices.Values(row.want)) {
			ann.WantText(g)
		}
	}
	if err := l.Broadcast(ctx, "a", protocol.Text("to an empty group")); err != nil {
		t.Error(err)
	}
	if err := c.SendText(ctx, "last"); err != nil {
		t.Error(err)
	}
	ann.WantText("last")
}

func TestGroupsOption(t *testing.T) {
	t.Parallel()
	var inConnect, inReceive []string
	s := &stub{
		connect: func(ctx context.Context, c *consumer.Conn) error {
			inConnect = c.Groups()
			return c.Join(ctx, "own", "weather")
		},
		receive: func(ctx context.Context, c *consumer.Conn, _ consumer.Message) error {
			inReceive = c.Groups()
			return c.SendText(ctx, "ok")
		},
	}
	app, l := onLayer(s.app(consumer.Groups[*stub]("news", "weather"), consumer.Groups[*stub]("sport")))
	ann := consumertest.Connect(t, app, "/", nil)
	ann.SendText("which?")
	ann.WantText("ok")
	if want := []string{"own", "weather", "news", "sport"}; len(inConnect) != 0 || !slices.Equal(inReceive, want) {
		t.Errorf("in %q during Connect and in %q during Receive, want none and %q", inConnect, inReceive, want)
	}
	if err := l.Broadcast(t.Context(), "sport", protocol.Text("1:0")); err != nil {
		t.Fatal(err)
	}
	ann.WantText("1:0")
}

func TestErrorOfGroupsOptionRefuses(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	app := (&stub{
		connect:    func(context.Context, *consumer.Conn) error { cancel(errSecret); return nil },
		disconnect: func(context.Context, *consumer.Conn, consumer.CloseStatus) { t.Error("Disconnect was called") },
	}).app(consumer.Groups[*stub]("news"))
	out := &logged{TB: t}
	if got := consumertest.Refused(out, app, "/", &consumertest.Options{Context: ctx}); got.Status != 500 || got.Body != "Internal Server Error" {
		t.Errorf("refused with %d %q, want 500 without details", got.Status, got.Body)
	}
	out.wantLog(testkit.Here(), "joining the groups of consumer.Groups: the password is swordfish")
}

// cannotAccept is a transport whose Accept fails.
type cannotAccept struct {
	sink
	answer *protocol.RejectError
}

func (*cannotAccept) Accept(protocol.AcceptOptions) error   { return errSecret }
func (w *cannotAccept) Reject(answer *protocol.RejectError) { w.answer = answer }

func TestDecision5_GroupsJoinedInConnectAreLeftOnRefusal(t *testing.T) {
	t.Parallel()
	rows := []struct {
		at      testkit.Line
		name    string
		tr      protocol.Transport
		err     error
		options []consumer.Option[*stub]
	}{
		{at: testkit.Here(), name: "Connect returns an error", tr: &sink{}, err: errSecret},
		{at: testkit.Here(), name: "Connect refuses", tr: &sink{}, err: protocol.NewRejectError(401, "")},
		{at: testkit.Here(), name: "the transport cannot accept", tr: &cannotAccept{}},
		{at: testkit.Here(), name: "the transport cannot accept, Groups", tr: &cannotAccept{}, options: []consumer.Option[*stub]{consumer.Groups[*stub]("all")}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			var c *consumer.Conn
			app, _ := onLayer((&stub{connect: func(ctx context.Context, conn *consumer.Conn) error {
				c = conn
				conn.Channel()
				return errors.Join(conn.Join(ctx, "a", "b"), conn.Enter(ctx, "a", "ann", nil), row.err)
			}}).app(row.options...))
			p, ok := dial(t, app, row.tr)
			if ok {
				t.Fatalf("%s: accepted", row.at)
			}
			testkit.Await(t, p.over, "the end")
			if got := c.Groups(); len(got) > 0 {
				t.Errorf("%s: still in %q", row.at, got)
			}
			if got, err := c.Present(t.Context(), "a"); err != nil || len(got) > 0 {
				t.Errorf("%s: still present: %v (%v)", row.at, got, err)
			}
			if err := c.Join(t.Context(), "a"); !errors.Is(err, protocol.ErrClosed) {
				t.Errorf("%s: Join afterwards: %v, want ErrClosed", row.at, err)
			}
			if got := p.counters.Stats(); got.Refused != 1 || got.Accepted != 0 || got.Open != 0 {
				t.Errorf("%s: counted %+v", row.at, got)
			}
		})
	}
}

// When a connection is over, its layer does not refer to it: it can be garbage-collected.
func TestLayerReleasesConnections(t *testing.T) {
	t.Parallel()
	l := new(layers.Layer)
	rows := []struct {
		at   testkit.Line
		name string
		stub stub
		end  func(p *peer)
	}{
		{testkit.Here(), "closed", stub{}, func(p *peer) { p.hangUp(protocol.CloseNormal) }},
		{testkit.Here(), "broken", stub{}, func(p *peer) { p.hangUp(protocol.CloseAbnormal) }},
		{testkit.Here(), "Disconnect panics",
			stub{disconnect: func(context.Context, *consumer.Conn, consumer.CloseStatus) { panic("too bad") }},
			func(p *peer) { p.hangUp(protocol.CloseNormal) }},
		{testkit.Here(), "Disconnect ends its goroutine",
			stub{disconnect: func(context.Context, *consumer.Conn, consumer.CloseStatus) { runtime.Goexit() }},
			func(p *peer) { p.hangUp(protocol.CloseNormal) }},
	}
	for _, row := range rows {
		conn := connectAndEnd(t, l, row.stub, row.end)
		for range 3 {
			runtime.GC()
		}
		if conn.Value() != nil {
			t.Errorf("%s: %s: something still refers to the connection", row.at, row.name)
		}
	}
	runtime.KeepAlive(l)
}

// connectAndEnd opens a connection that joins groups and has a channel name, ends it, and
// returns it when it is over.
func connectAndEnd(t *testing.T, l *layers.Layer, s stub, end func(p *peer)) weak.Pointer[consumer.Conn] {
	t.Helper()
	var conn weak.Pointer[consumer.Conn]
	s.connect = func(ctx context.Context, c *consumer.Conn) error {
		conn = weak.Make(c)
		c.Channel()
		_, err := c.JoinFrom(ctx, "d", layers.Range{})
		return errors.Join(err, c.Enter(ctx, "a", "ann", nil), c.Join(ctx, "a", "b"))
	}
	p, ok := dial(t, layers.Middleware(l)(s.app(consumer.Groups[*stub]("c"))), &sink{})
	if !ok || conn.Value() == nil {
		t.Fatal("refused")
	}
	if err := l.Broadcast(t.Context(), "a", protocol.Text("x")); err != nil {
		t.Fatal(err)
	}
	end(p)
	testkit.Await(t, p.over, "the end")
	return conn
}

func TestChannelNamesOneConnection(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		app, conns := keep()
		app, l := onLayer(app)
		ann := consumertest.Connect(t, app, "/", nil)
		bob := consumertest.Connect(t, app, "/", nil)
		a, b := testkit.Await(t, conns, "ann"), testkit.Await(t, conns, "bob")
		name := a.Channel()
		if err := layers.ValidChannel(name); err != nil || a.Channel() != name || b.Channel() == name {
			t.Errorf("ann's name is %q, then %q, and bob's %q (%v)", name, a.Channel(), b.Channel(), err)
		}
		send := func() {
			t.Helper()
			if err := l.Send(t.Context(), name, protocol.SendType.New(protocol.Text("psst"))); err != nil {
				t.Error(err)
			}
		}
		send()
		ann.WantText("psst")
		bob.WantNothing()
		if got := a.Groups(); len(got) > 0 {
			t.Errorf("in %q, want no group", got)
		}

		ann.Close(protocol.CloseNormal, "")
		bob.Close(protocol.CloseNormal, "")
		ann.WantOver()
		bob.WantOver()
		send() // the connection is over, which is not an error
		synctest.Wait()
		if a.Channel() != name {
			t.Error("the name changed when the connection ended")
		}
	})
}

func TestChannelAfterTheEnd(t *testing.T) {
	t.Parallel()
	app, conns := keep()
	app, l := onLayer(app)
	ann := consumertest.Connect(t, app, "/", nil)
	c := testkit.Await(t, conns, "the connection")
	ann.Close(protocol.CloseNormal, "")
	ann.WantOver()
	name := c.Channel()
	if err := layers.ValidChannel(name); err != nil || c.Channel() != name {
		t.Errorf("the name is %q, then %q (%v)", name, c.Channel(), err)
	}
	// The name is not bound, so that another member can bind it.
	unbind, err := l.Bind(name, silentMember{})
	if err != nil {
		t.Fatalf("the name of a connection that is over is bound: %v", err)
	}
	unbind()
}

// silentMember is a layers.Member that ignores what it receives.
type silentMember struct{}

func (silentMember) Deliver(*protocol.Event) bool  { return false }
func (silentMember) Offer(*protocol.Prepared) bool { return false }
