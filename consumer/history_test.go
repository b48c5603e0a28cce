package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/consumer/consumertest"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/protocol"
)

// follower joins "all" from the position in its URL, and sends its peer each line with its
// offset.
type follower struct{ stub }

func newFollower(s *consumer.Scope) *follower {
	var since protocol.Position
	err := since.UnmarshalText([]byte(s.Query().Get("since")))
	f := &follower{}
	f.connect = func(ctx context.Context, c *consumer.Conn) error {
		h, joinErr := c.JoinFrom(ctx, "all", layers.Range{After: since})
		return errors.Join(err, joinErr, c.SendText(ctx, fmt.Sprint("complete: ", h.Complete)), c.Replay(ctx, h.Events))
	}
	f.receive = func(ctx context.Context, c *consumer.Conn, m consumer.Message) error {
		if !consumer.PositionOf(ctx).IsZero() {
			return errSecret
		}
		_, err := c.Record(ctx, "all", said().New(line{Text: m.Text()}), layers.Retention{})
		return err
	}
	return f
}

func (*follower) said(ctx context.Context, c *consumer.Conn, l line) error {
	if l.Text == "bad" {
		return errSecret
	}
	return c.SendText(ctx, fmt.Sprint(consumer.PositionOf(ctx).Offset, " ", l.Text))
}

// recorded records events in the group "all", and returns the position of the last one.
func recorded(t *testing.T, l *layers.Layer, events ...*protocol.Event) (last protocol.Position) {
	t.Helper()
	for _, e := range events {
		p, err := l.Record(t.Context(), "all", e, layers.Retention{})
		if err != nil {
			t.Fatal(err)
		}
		last = p
	}
	return last
}

func text(s string) *protocol.Event { return said().New(line{Text: s}) }

func TestReplayOfMissedEvents(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		app, l := onLayer(consumer.New(newFollower, consumer.On(said(), (*follower).said)))
		recorded(t, l, text("one"))
		seen := recorded(t, l, text("two"))
		recorded(t, l,
			protocol.EventType[line]{Name: "chat.unknown"}.New(line{}),
			protocol.EventType[map[string]any]{Name: said().Name}.New(map[string]any{"text": 7}),
			text("five"),
			protocol.SendType.New(protocol.Text("six, as it is")),
		)
		ann := consumertest.Connect(t, app, "/?since="+seen.String(), nil)
		eve := consumertest.Connect(t, app, "/?since=2-OTHER", nil)
		bob := consumertest.Connect(t, app, "/", nil)
		ann.SendText("seven")
		synctest.Wait()
		if err := l.GroupSend(t.Context(), "all", text("only sent")); err != nil {
			t.Fatal(err)
		}
		recorded(t, l, protocol.SendType.New(protocol.Text("eight, as it is")))
		for _, row := range []struct {
			at     testkit.Line
			client *consumertest.Client
			want   []string
		}{
			{testkit.Here(), ann, []string{"complete: true", "5 five", "six, as it is"}},
			{testkit.Here(), bob, []string{"complete: true", "1 one", "2 two", "5 five", "six, as it is"}},
			{testkit.Here(), eve, []string{"complete: false", "1 one", "2 two", "5 five", "six, as it is"}},
		} {
			for _, want := range row.want {
				if got := row.client.Message().Text(); got != want {
					t.Errorf("%s: got %q, want %q", row.at, got, want)
				}
			}
			// A message that no handler receives may overtake an event.
			live := []string{row.client.Message().Text(), row.client.Message().Text(), row.client.Message().Text()}
			slices.Sort(live)
			if want := []string{"0 only sent", "7 seven", "eight, as it is"}; !slices.Equal(live, want) {
				t.Errorf("%s: got %q, want %q in any order", row.at, live, want)
			}
			row.client.WantNothing()
		}
	})
}

// A handler of protocol.SendType knows the positions of messages, live and from history.
func TestPositionOfMessages(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		app, l := onLayer(consumer.New(newFollower, consumer.On(protocol.SendType,
			func(_ *follower, ctx context.Context, c *consumer.Conn, m consumer.Message) error {
				return c.SendText(ctx, fmt.Sprint(consumer.PositionOf(ctx).Offset, " ", m.Text()))
			})))
		recorded(t, l, protocol.SendType.New(protocol.Text("one")))
		ann := consumertest.Connect(t, app, "/", nil)
		recorded(t, l, protocol.SendType.New(protocol.Text("two")))
		if err := l.Broadcast(t.Context(), "all", protocol.Text("b")); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"complete: true", "1 one", "2 two", "0 b"} {
			ann.WantText(want)
		}
	})
}

func TestReplayStopsAtTheFirstError(t *testing.T) {
	t.Parallel()
	app, l := onLayer(consumer.New(newFollower, consumer.On(said(), (*follower).said)))
	recorded(t, l, text("bad"))
	out := &logged{TB: t}
	if got := consumertest.Refused(out, app, "/", nil); got.Status != 500 {
		t.Errorf("refused with %d, want 500", got.Status)
	}
	out.wantLog(testkit.Here(), "swordfish")
}

func TestReplayOnAStream(t *testing.T) {
	t.Parallel()
	app, l := onLayer(consumer.Func(func(ctx context.Context, s *consumer.Stream) error {
		h, err := s.JoinFrom(ctx, "all", layers.Range{})
		if err = errors.Join(err, s.Replay(ctx, h.Events)); err != nil {
			return err
		}
		for _, err := range s.Messages(ctx) {
			return err
		}
		return nil
	}, consumer.On(said(), func(s *consumer.Stream, ctx context.Context, _ *consumer.Conn, l line) error {
		return s.SendText(ctx, fmt.Sprint(consumer.PositionOf(ctx).Offset, " ", l.Text))
	})))
	recorded(t, l, text("one"))
	ann := consumertest.Connect(t, app, "/", nil)
	ann.WantText("1 one")
	recorded(t, l, text("two"))
	ann.WantText("2 two")
}

// Each follower receives each event once, while several goroutines record and connect.
func TestFollowersReceiveEachEventOnce(t *testing.T) {
	t.Parallel()
	const recorders, each, followers = 3, 10, 6
	synctest.Test(t, func(t *testing.T) {
		app, l := onLayer(consumer.New(newFollower, consumer.On(said(), (*follower).said)))
		var wg sync.WaitGroup
		for range recorders {
			wg.Go(func() {
				for range each {
					recorded(t, l, text("x"))
				}
			})
		}
		clients := make([]*consumertest.Client, followers)
		for i := range clients {
			wg.Go(func() { clients[i] = consumertest.Connect(t, app, "/", nil) })
		}
		wg.Wait()
		for _, client := range clients {
			client.WantText("complete: true")
			for n := range recorders * each {
				client.WantText(fmt.Sprint(n+1, " x"))
			}
			client.WantNothing()
		}
	})
}

// blockingHistory is a driver with history. Read sends to reading, and returns when let is
// closed.
type blockingHistory struct {
	layers.Driver
	reading, let chan struct{}
	err          error
}

func (*blockingHistory) Start(context.Context, layers.Receiver) error           { return nil }
func (*blockingHistory) Subscribe(context.Context, []string, []string) error    { return nil }
func (*blockingHistory) Publish(context.Context, string, *protocol.Event) error { return nil }
func (*blockingHistory) Close(context.Context) error                            { return nil }
func (*blockingHistory) Append(context.Context, string, *protocol.Event, layers.Retention) (p protocol.Position, err error) {
	return p, nil
}

func (d *blockingHistory) Read(context.Context, string, layers.Range) (h layers.History, err error) {
	d.reading <- struct{}{}
	<-d.let
	return h, d.err
}

// After JoinFrom, Groups is right whatever has happened while the history was read.
func TestGroupsAfterJoinFrom(t *testing.T) {
	t.Parallel()
	rows := []struct {
		at        testkit.Line
		name      string
		meanwhile func(t *testing.T, p *peer, c *consumer.Conn)
		readErr   error
		err       string
		want      []string
	}{
		{testkit.Here(), "nothing", func(*testing.T, *peer, *consumer.Conn) {}, nil, "", []string{"news"}},
		{testkit.Here(), "it fails", func(*testing.T, *peer, *consumer.Conn) {}, errSecret, "swordfish", nil},
		{testkit.Here(), "it leaves", func(_ *testing.T, _ *peer, c *consumer.Conn) { c.Leave("news") }, nil, "", nil},
		{testkit.Here(), "it leaves and joins", func(t *testing.T, _ *peer, c *consumer.Conn) {
			t.Helper()
			c.Leave("news")
			if err := c.Join(t.Context(), "news"); err != nil {
				t.Error(err)
			}
		}, nil, "", []string{"news"}},
		{testkit.Here(), "another JoinFrom", func(t *testing.T, _ *peer, c *consumer.Conn) {
			t.Helper()
			if _, err := c.JoinFrom(t.Context(), "news", layers.Range{}); !errors.Is(err, layers.ErrJoining) {
				t.Errorf("the second JoinFrom: %v", err)
			}
		}, nil, "", []string{"news"}},
		{testkit.Here(), "it ends", func(_ *testing.T, p *peer, _ *consumer.Conn) {
			p.hangUp(protocol.CloseNormal)
			<-p.over
		}, nil, "closed", nil},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := &blockingHistory{reading: make(chan struct{}), let: make(chan struct{}), err: row.readErr}
				l, err := layers.Open(t.Context(), d)
				if err != nil {
					t.Fatal(err)
				}
				app, conns := keep()
				p := connected(t, layers.Middleware(l)(app))
				c := <-conns
				result := make(chan error)
				go func() {
					_, err := c.JoinFrom(t.Context(), "news", layers.Range{})
					result <- err
				}()
				<-d.reading
				row.meanwhile(t, p, c)
				close(d.let)
				err = <-result
				if (err != nil) != (row.err != "") || err != nil && !strings.Contains(err.Error(), row.err) {
					t.Errorf("%s: JoinFrom returned %v, want %q", row.at, err, row.err)
				}
				if got := c.Groups(); !slices.Equal(got, row.want) {
					t.Errorf("%s: in %q, want %q", row.at, got, row.want)
				}
				if row.err == "closed" {
					_, again := c.JoinFrom(t.Context(), "news", layers.Range{})
					if !errors.Is(err, protocol.ErrClosed) || !errors.Is(again, protocol.ErrClosed) {
						t.Errorf("%s: JoinFrom returned %v, and then %v", row.at, err, again)
					}
				}
				if err := l.Close(t.Context()); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// meanwhile is a context whose Err calls do. The layer calls Err before it joins.
type meanwhile struct {
	context.Context //nolint:containedctx // it is one
	do              func()
}

func (m meanwhile) Err() error {
	m.do()
	return nil
}

// If the connection leaves before the layer has joined it, the join is undone.
func TestLeaveBeforeTheLayerJoins(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		app, conns := keep()
		app, l := onLayer(app)
		client := consumertest.Connect(t, app, "/", nil)
		c := testkit.Await(t, conns, "the connection")
		ctx := meanwhile{t.Context(), func() { c.Leave("news") }}
		if _, err := c.JoinFrom(ctx, "news", layers.Range{}); err != nil {
			t.Error(err)
		}
		if err := l.Broadcast(t.Context(), "news", protocol.Text("x")); err != nil {
			t.Error(err)
		}
		client.WantNothing()
		if got := c.Groups(); len(got) > 0 {
			t.Errorf("in %q", got)
		}
	})
}
