package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/consumer/consumertest"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol"
)

var errSecret = errors.New("the password is swordfish")

func TestNewMakesAConsumerForEachConnection(t *testing.T) {
	t.Parallel()
	app := consumer.New(func(s *consumer.Scope) *stub {
		path, heard := s.Path(), 0
		return &stub{receive: func(ctx context.Context, c *consumer.Conn, m consumer.Message) error {
			heard++
			return c.SendText(ctx, fmt.Sprint(path, m.Text(), heard))
		}}
	})
	ann := consumertest.Connect(t, app, "/a/", nil)
	bob := consumertest.Connect(t, app, "/b/", nil)
	ann.SendText("x")
	ann.SendText("y")
	bob.SendText("z")
	ann.WantText("/a/x1")
	ann.WantText("/a/y2")
	bob.WantText("/b/z1")
}

// misspelt is a consumer whose Receive is never called.
type misspelt struct{ consumer.Base }

func (*misspelt) OnMessage(context.Context, *consumer.Conn, consumer.Message) error { return nil }

// A consumer without a Receive drops messages: each is counted, and the first of an
// application is logged.
func TestBaseCountsUnreadMessages(t *testing.T) {
	t.Parallel()
	app := consumer.New(func(*consumer.Scope) *misspelt { return &misspelt{} })
	for i, want := range []string{"*consumer_test.misspelt declares no method Receive", ""} {
		out := &logged{TB: t}
		ann := consumertest.Connect(out, app, "/", nil)
		ann.SendText("hello")
		ann.SendBinary([]byte{1})
		ann.Close(protocol.CloseNormal, "")
		ann.WantOver()
		if got, want := ann.Stats(), (protocol.Stats{Accepted: 1, MessagesUnread: 2}); got != want {
			t.Errorf("counted %+v, want %+v", got, want)
		}
		if got := out.String(); strings.Count(got, "\n") > 1 || !strings.Contains(got, want) || want == "" && got != "" {
			t.Errorf("connection %d: logged %q, want one line with %q, if any", i+1, got, want)
		}
	}
}

// ignores has a Receive that ignores messages.
type ignores struct{ consumer.Base }

func (*ignores) Receive(context.Context, *consumer.Conn, consumer.Message) error { return nil }

func TestReceiveThatIgnoresMessages(t *testing.T) {
	t.Parallel()
	out := &logged{TB: t}
	ann := consumertest.Connect(out, consumer.New(func(*consumer.Scope) *ignores { return &ignores{} }), "/", nil)
	ann.SendText("hello")
	ann.Close(protocol.CloseNormal, "")
	ann.WantOver()
	if got := ann.Stats(); got.MessagesUnread != 0 || out.String() != "" {
		t.Errorf("counted %+v and logged %q, want nothing", got, out.String())
	}
}

func TestReceiveFunc(t *testing.T) {
	t.Parallel()
	echo := consumer.ReceiveFunc(func(ctx context.Context, c *consumer.Conn, m consumer.Message) error { return c.Send(ctx, m) })
	ann := consumertest.Connect(t, echo, "/", nil)
	ann.SendText("hello")
	ann.SendBinary([]byte{0, 1})
	ann.SendText("")
	ann.WantText("hello")
	if m := ann.Message(); m.Kind != protocol.KindBinary || !slices.Equal(m.Data, []byte{0, 1}) {
		t.Errorf("got %v %q, want the binary message back", m.Kind, m.Data)
	}
	ann.WantText("")
}

// Disconnect runs once, in whatever way the connection closes. The rows also have the
// status that the peer sees.
func TestDisconnectRunsOnce(t *testing.T) {
	t.Parallel()
	rows := []struct {
		at    testkit.Line
		name  string
		close func(c *consumer.Conn) error // called by Receive
		peer  func(ann *consumertest.Client)
		want  protocol.CloseStatus
		cause string // in the Err that Disconnect receives
		log   string
	}{
		{at: testkit.Here(), name: "the peer closes", want: protocol.CloseStatus{Code: 4005, Reason: "bye", Remote: true},
			peer: func(ann *consumertest.Client) { ann.Close(4005, "bye") }},
		{at: testkit.Here(), name: "the network breaks", want: protocol.CloseStatus{Code: protocol.CloseAbnormal},
			peer: (*consumertest.Client).Vanish},
		{at: testkit.Here(), name: "the consumer closes", want: protocol.CloseStatus{Code: 4001, Reason: "enough"},
			close: func(c *consumer.Conn) error { c.Close(4001, "enough"); return nil }},
		{at: testkit.Here(), name: "Receive returns a close", want: protocol.CloseStatus{Code: 4002, Reason: "why"},
			close: func(*consumer.Conn) error { return protocol.NewCloseError(4002, "why") }},
		{at: testkit.Here(), name: "Receive returns an error", want: protocol.CloseStatus{Code: protocol.CloseInternalError},
			close: func(*consumer.Conn) error { return fmt.Errorf("query: %w", errSecret) }, cause: "swordfish", log: "swordfish"},
		{at: testkit.Here(), name: "Receive panics", want: protocol.CloseStatus{Code: protocol.CloseInternalError},
			close: func(*consumer.Conn) error { panic(errSecret) }, cause: "swordfish", log: "consumer_test.go"},
		{at: testkit.Here(), name: "Receive ends its goroutine", want: protocol.CloseStatus{Code: protocol.CloseInternalError},
			close: func(*consumer.Conn) error { runtime.Goexit(); return nil }, cause: "Goexit", log: "Goexit"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			ended := make(chan consumer.CloseStatus, 2)
			app := (&stub{
				receive:    func(_ context.Context, c *consumer.Conn, _ consumer.Message) error { return row.close(c) },
				disconnect: func(_ context.Context, _ *consumer.Conn, s consumer.CloseStatus) { ended <- s },
			}).app()
			out := &logged{TB: t}
			ann := consumertest.Connect(out, app, "/", nil)
			if row.peer != nil {
				row.peer(ann)
			} else {
				ann.SendText("now")
				sameClose(t, row.at, ann.WantClose(row.want.Code), row.want, "")
			}
			ann.WantOver()
			sameClose(t, row.at, testkit.Await(t, ended, "Disconnect"), row.want, row.cause)
			if len(ended) > 0 {
				t.Errorf("%s: Disconnect was called again", row.at)
			}
			out.wantLog(row.at, row.log)
		})
	}
}

// sameClose fails the test unless got is want, and the text of got.Err contains cause.
func sameClose(t *testing.T, at testkit.Line, got, want protocol.CloseStatus, cause string) {
	t.Helper()
	if text := fmt.Sprint(got.Err); !strings.Contains(text, cause) || (cause == "swordfish") && !errors.Is(got.Err, errSecret) {
		t.Errorf("%s: the cause is %v, want %q", at, got.Err, cause)
	}
	if got.Err = nil; got != want {
		t.Errorf("%s: closed with %+v, want %+v", at, got, want)
	}
}

func TestConnectDecidesTheAnswer(t *testing.T) {
	t.Parallel()
	refuses := func(err error) protocol.Application {
		return (&stub{
			connect:    func(context.Context, *consumer.Conn) error { return err },
			disconnect: func(context.Context, *consumer.Conn, consumer.CloseStatus) { t.Errorf("Disconnect after %v", err) },
		}).app()
	}
	closes := (&stub{connect: func(_ context.Context, c *consumer.Conn) error { c.Close(4003, "not you"); return nil }}).app()
	tries := (&stub{connect: func(_ context.Context, c *consumer.Conn) error { c.Close(4003, "not you"); return c.Accept(nil) }}).app()
	panics := (&stub{connect: func(context.Context, *consumer.Conn) error { panic(errSecret) }}).app()
	noFactory := consumer.New(func(*consumer.Scope) *stub { panic(errSecret) })
	const internal = "Internal Server Error"
	rows := []struct {
		at     testkit.Line
		name   string
		app    protocol.Application
		status int
		body   string
		log    string
	}{
		{testkit.Here(), "Reject", refuses(protocol.NewRejectError(402, "pay first")), 402, "pay first", ""},
		{testkit.Here(), "Reject, wrapped", refuses(fmt.Errorf("x: %w", protocol.NewRejectError(410, "gone"))), 410, "gone", ""},
		{testkit.Here(), "Close", refuses(protocol.NewCloseError(4003, "not you")), 403, "not you", ""},
		{testkit.Here(), "Close called", closes, 403, "not you", ""},
		{testkit.Here(), "Close called before Accept", tries, 403, "not you", ""},
		{testkit.Here(), "no route", refuses(protocol.ErrNoRoute), 404, "Not Found", ""},
		{testkit.Here(), "deadline", refuses(fmt.Errorf("db: %w", context.DeadlineExceeded)), 503, "Service Unavailable", "db: "},
		{testkit.Here(), "error", refuses(errSecret), 500, internal, "swordfish"},
		{testkit.Here(), "panic in Connect", panics, 500, internal, "consumer_test.go"},
		{testkit.Here(), "panic in the factory", noFactory, 500, internal, "consumer_test.go"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			out := &logged{TB: t}
			got := consumertest.Refused(out, row.app, "/", nil)
			if got.Status != row.status || got.Body != row.body {
				t.Errorf("%s: refused with %d %q, want %d %q", row.at, got.Status, got.Body, row.status, row.body)
			}
			out.wantLog(row.at, row.log)
		})
	}
}

func TestConstructorPanics(t *testing.T) {
	t.Parallel()
	said := protocol.EventType[map[string]string]{Name: "chat.said"}
	unnamed := protocol.EventType[map[string]string]{}
	on := func(*stub, context.Context, *consumer.Conn, map[string]string) error { return nil }
	on1, on2 := consumer.On(said, on), consumer.On(said, on)
	rows := []struct {
		at   testkit.Line
		name string
		make func()
		want string
	}{
		{testkit.Here(), "New(nil)", func() { consumer.New[*stub](nil) }, "factory is nil"},
		{testkit.Here(), "JSON(nil)", func() { consumer.JSON[*adder](nil) }, "factory is nil"},
		{testkit.Here(), "Func(nil)", func() { consumer.Func(nil) }, "function is nil"},
		{testkit.Here(), "Receive(nil)", func() { consumer.ReceiveFunc(nil) }, "function is nil"},
		{testkit.Here(), "On without a name", func() { consumer.On(unnamed, on) }, "has no name"},
		{testkit.Here(), "On twice", func() { (&stub{}).app(on1, on2) }, `"chat.said" has two handlers`},
		{testkit.Here(), "Groups with a space", func() { consumer.Groups[*stub]("news", "two words") }, `"two words"`},
		{testkit.Here(), "Groups with an empty name", func() { consumer.Groups[*stub]("") }, "1 to 99 bytes"},
	}
	for _, row := range rows {
		if got := fmt.Sprint(panicOf(row.make)); !strings.Contains(got, row.want) || !strings.HasPrefix(got, "wye: ") {
			t.Errorf("%s: %s: panicked with %q, want %q in it", row.at, row.name, got, row.want)
		}
	}
}

func TestDecision2_AConsumerIsAStructThatEmbedsBase(t *testing.T) {
	t.Parallel()
	// Base has all methods of the interface, so that a struct which embeds it declares
	// only those that it needs.
	var _ consumer.Consumer = consumer.Base{}
	type quiet struct{ consumer.Base }
	app := consumer.New(func(*consumer.Scope) quiet { return quiet{} })
	consumertest.Connect(t, app, "/", nil)

	// The application returns a protocol.Handler, which has all four methods.
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	if err != nil {
		t.Fatal(err)
	}
	h, err := app.Open(protocol.NewScope("websocket", r))
	if err != nil || h == nil {
		t.Fatalf("Open returned %v, %v; want a handler", h, err)
	}
}
