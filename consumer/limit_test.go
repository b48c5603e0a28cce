package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/consumer/consumertest"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/protocol"
)

// Limits.Groups bounds three numbers separately: the groups that a connection is a member
// of, those that it is present in, and those that it records to.
func TestLimitOfGroups(t *testing.T) {
	t.Parallel()
	app, conns := keep()
	app, _ = onLayer(app)
	ann := consumertest.Connect(t, app, "/", &consumertest.Options{Limits: protocol.Limits{Groups: 3}})
	c, ctx := testkit.Await(t, conns, "the connection"), t.Context()
	join := func(groups ...string) func() error { return func() error { return c.Join(ctx, groups...) } }
	joinFrom := func(group string) func() error {
		return func() error {
			_, err := c.JoinFrom(ctx, group, layers.Range{})
			return err
		}
	}
	enter := func(group string) func() error { return func() error { return c.Enter(ctx, group, "ann", nil) } }
	record := func(group string) func() error {
		return func() error {
			_, err := c.Record(ctx, group, protocol.SendType.New(protocol.Text("x")), layers.Retention{})
			return err
		}
	}
	rows := []struct {
		at   testkit.Line
		name string
		do   func() error
		full bool
		in   []string
	}{
		{testkit.Here(), "as many as may be", join("a", "b", "c"), false, []string{"a", "b", "c"}},
		{testkit.Here(), "one more", join("d"), true, []string{"a", "b", "c"}},
		{testkit.Here(), "one that it is in, and one more", join("a", "d"), true, []string{"a", "b", "c"}},
		{testkit.Here(), "one more, from a position", joinFrom("d"), true, []string{"a", "b", "c"}},
		{testkit.Here(), "one that it is in, from a position", joinFrom("b"), false, []string{"a", "b", "c"}},
		{testkit.Here(), "leave", func() error { c.Leave("a"); return nil }, false, []string{"b", "c"}},
		{testkit.Here(), "one in its place", joinFrom("d"), false, []string{"b", "c", "d"}},
		{testkit.Here(), "an invalid one, in no place", func() error {
			c.Leave("d")
			if err := c.Join(ctx, "not valid"); !errors.Is(err, protocol.ErrInvalidName) {
				return err
			}
			return c.Join(ctx, "e")
		}, false, []string{"b", "c", "e"}},
		{testkit.Here(), "present", enter("1"), false, []string{"b", "c", "e"}},
		{testkit.Here(), "present", enter("2"), false, []string{"b", "c", "e"}},
		{testkit.Here(), "present", enter("3"), false, []string{"b", "c", "e"}},
		{testkit.Here(), "present again", enter("3"), false, []string{"b", "c", "e"}},
		{testkit.Here(), "present in one more", enter("4"), true, []string{"b", "c", "e"}},
		{testkit.Here(), "exit", func() error { return c.Exit(ctx, "2") }, false, []string{"b", "c", "e"}},
		{testkit.Here(), "present in its place", enter("4"), false, []string{"b", "c", "e"}},
		{testkit.Here(), "record", record("x"), false, []string{"b", "c", "e"}},
		{testkit.Here(), "record", record("y"), false, []string{"b", "c", "e"}},
		{testkit.Here(), "record", record("z"), false, []string{"b", "c", "e"}},
		{testkit.Here(), "record again", record("z"), false, []string{"b", "c", "e"}},
		{testkit.Here(), "record to one more", record("w"), true, []string{"b", "c", "e"}},
		{testkit.Here(), "record past the connection", func() error {
			_, err := c.Layer().Record(ctx, "w", protocol.SendType.New(protocol.Text("x")), layers.Retention{})
			return err
		}, false, []string{"b", "c", "e"}},
	}
	refused := int64(0)
	for _, row := range rows {
		err := row.do()
		if full := errors.Is(err, protocol.ErrTooMany); full != row.full || !row.full && err != nil {
			t.Errorf("%s: %s: %v, want that it is one too many: %t", row.at, row.name, err, row.full)
		}
		if row.full {
			refused++
			if !strings.Contains(err.Error(), "the connection has 3, as many as Limits.Groups allows") {
				t.Errorf("%s: %s: the error says %q", row.at, row.name, err)
			}
		}
		if got := c.Groups(); !slices.Equal(got, row.in) {
			t.Errorf("%s: %s: in %q, want %q", row.at, row.name, got, row.in)
		}
	}
	if got := ann.Stats().GroupsRefused; got != refused {
		t.Errorf("%d were counted, want %d", got, refused)
	}
}

// A consumer that joins the groups which its peer names, and returns the error of Join,
// closes with 1008.
func TestErrorOfJoinCloses(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		at     testkit.Line
		name   string
		good   int
		then   string
		reason string
	}{
		{testkit.Here(), "too many", protocol.Limits{}.WithDefaults().Groups, "more", "too many groups"},
		{testkit.Here(), "invalid", 1, "not valid", "invalid name"},
		{testkit.Here(), "long", 1, strings.Repeat("x", 100), "invalid name"},
	} {
		app, _ := onLayer(consumer.ReceiveFunc(func(ctx context.Context, c *consumer.Conn, m consumer.Message) error {
			return c.Join(ctx, m.Text())
		}))
		ann := consumertest.Connect(&logged{TB: t}, app, "/", nil)
		for i := range row.good {
			ann.SendText(fmt.Sprint(i))
		}
		ann.SendText(row.then)
		if st := ann.WantClose(protocol.ClosePolicyViolation); st.Reason != row.reason || ann.Stats().Failures != 0 {
			t.Errorf("%s: %s: closed with %q and %d failures, want %q and none", row.at, row.name, st.Reason, ann.Stats().Failures, row.reason)
		}
	}
}

// A broadcast of text that is not UTF-8 is an error for its sender. The other members
// receive nothing, or the repaired text if the sender's limits say so.
func TestBroadcastOfTextThatIsNotUTF8(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		at     testkit.Line
		repair bool
		want   string
	}{
		{testkit.Here(), false, ""},
		{testkit.Here(), true, "a\ufffd"},
	} {
		synctest.Test(t, func(t *testing.T) {
			app, _ := onLayer((&stub{
				receive: func(ctx context.Context, c *consumer.Conn, m consumer.Message) error {
					return errors.Join(c.Broadcast(ctx, "all", protocol.Text(string(m.Data))),
						c.BroadcastOthers(ctx, "all", protocol.Text(string(m.Data))))
				},
			}).app(consumer.Groups[*stub]("all")))
			bob := consumertest.Connect(t, app, "/", nil)
			out := &logged{TB: t}
			eve := consumertest.Connect(out, app, "/", &consumertest.Options{Limits: protocol.Limits{RepairText: row.repair}})
			eve.SendBinary([]byte("a\xff"))
			if row.want != "" {
				eve.WantText(row.want)
				bob.WantText(row.want)
				bob.WantText(row.want)
				eve.WantNothing()
				return
			}
			eve.WantClose(protocol.CloseInternalError)
			out.wantLog(row.at, "the message is text that is not UTF-8")
			bob.WantNothing()
			bob.SendText("still here")
			bob.WantText("still here") // from Broadcast; BroadcastOthers reaches no other member
		})
	}
}
