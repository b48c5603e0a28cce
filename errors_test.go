package wye_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/consumer/consumertest"
	"github.com/wye-go/wye/internal/plumbing"
	"github.com/wye-go/wye/internal/scopes"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket"
	"github.com/wye-go/wye/router"
)

// met is an error as a user meets it, and its text.
type met struct {
	at   testkit.Line
	err  error
	want string
}

var errCause = errors.New("no such table")

// TestErrorTexts prints errors of all packages, as users meet them. Each begins with the
// name of the project, once, and says nothing twice.
func TestErrorTexts(t *testing.T) {
	t.Parallel()
	for _, row := range slices.Concat(ofProtocol(), ofConnections(t), ofLayers(t), ofRouters()) {
		if row.err == nil {
			t.Errorf("%s: no error, want %q", row.at, row.want)
			continue
		}
		got := row.err.Error()
		if got != row.want {
			t.Errorf("%s:\n got %s\nwant %s", row.at, got, row.want)
		}
		if !strings.HasPrefix(got, "wye: ") || strings.Count(got, "wye: ") != 1 {
			t.Errorf("%s: %q does not begin with wye:, or has it twice", row.at, got)
		}
		if again := saidTwice(got); again != "" {
			t.Errorf("%s: %q says %q twice", row.at, got, again)
		}
	}
}

// saidTwice returns four words that text has more than once.
func saidTwice(text string) string {
	words := strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" :;,", r) })
	seen := map[string]bool{}
	for i := range len(words) - 3 {
		four := strings.Join(words[i:i+4], " ")
		if seen[four] {
			return four
		}
		seen[four] = true
	}
	return ""
}

func ofProtocol() []met {
	status := func(err error) error { return protocol.CloseStatusOf(err).Err }
	cause := func(code protocol.CloseCode, reason string, err error) error {
		return &protocol.CloseError{CloseStatus: protocol.CloseStatus{Code: code, Reason: reason, Err: err}}
	}
	const allowed = "; use 1000 to 1014, except 1004 to 1006 and 1010, or 3000 to 4999"
	scope := scopes.WithRoute(scopes.ForChannel(context.Background(), "x"), &plumbing.Match{
		Params: []plumbing.Param{{Name: "page", Value: "second"}, {Name: "year", Value: "99999999999999999999"}},
	})
	param := func(name string) error {
		_, err := protocol.ParamAs[int](scope, name)
		return err
	}
	type number struct {
		N []int `json:"n"`
	}
	_, misfit := protocol.EventType[number]{Name: "said"}.Payload(protocol.EventType[map[string]any]{Name: "said"}.New(map[string]any{"n": "x"}))
	return []met{
		{testkit.Here(), protocol.ErrNoRoute, "wye: no route"},
		{testkit.Here(), protocol.ErrInvalidName, "wye: invalid name"},
		{testkit.Here(), protocol.ErrTooMany, "wye: too many"},
		{testkit.Here(), protocol.ErrClosed, "wye: connection closed"},
		{testkit.Here(), plumbing.ErrAccepted, "wye: the handshake is already answered; call Accept once, in Connect"},
		{testkit.Here(), protocol.ErrQueueFull, "wye: the outgoing queue is full"},
		{testkit.Here(), protocol.ErrNotUTF8, "wye: the message is text that is not UTF-8; " +
			"send it as binary, repair it with strings.ToValidUTF8, or set Limits.RepairText"},
		{testkit.Here(), protocol.ErrDropped, "wye: message dropped: the outgoing queue is full and its policy is to drop"},
		{testkit.Here(), protocol.ErrSlow, "wye: connection closed: its peer reads too slowly"},
		{testkit.Here(), protocol.ErrBusy, "wye: connection closed: too many events waited for its consumer"},
		{testkit.Here(), plumbing.ErrUnread, "wye: message not read by the application"},
		{testkit.Here(), plumbing.ErrEventUnknown, "wye: no handler for events of this type"},
		{testkit.Here(), protocol.ErrEventPayload, "wye: the event's payload does not fit"},
		{testkit.Here(), websocket.ErrPongTimeout, "wye: the peer did not answer a ping in time; it is gone, or its network is"},
		{testkit.Here(), misfit, `wye: the event's payload does not fit: event "said" as wye_test.number: n: a string cannot be read as []int`},

		{testkit.Here(), protocol.NewCloseError(4001, "bye"), `wye: connection closed: 4001 "bye"`},
		{testkit.Here(), cause(1008, "invalid name", layers.ValidName("a b")), `wye: connection closed: 1008 policy violation "invalid name": ` +
			`invalid name: group or channel name "a b": byte 1 is none of a-z A-Z 0-9 - _ . (GroupName makes a name of any text)`},
		{testkit.Here(), cause(1011, "", errCause), "wye: connection closed: 1011 internal error: no such table"},
		{testkit.Here(), status(protocol.NewCloseError(1005, "bye")), `wye: a server cannot close with 1005 no status received ("bye")` + allowed},
		{testkit.Here(), status(protocol.NewCloseError(99, "")), "wye: a server cannot close with 99" + allowed},
		{testkit.Here(), status(cause(1006, "", errCause)), "wye: a server cannot close with 1006 abnormal closure" + allowed + ": no such table"},
		{testkit.Here(), status(protocol.NewCloseError(34463, "")), "wye: a server cannot close with 34463" + allowed},
		{testkit.Here(), protocol.NewRejectError(401, "who are you"), "wye: connection refused with 401: who are you"},
		{testkit.Here(), protocol.AsRejectError(layers.ValidName("")), `wye: connection refused with 404: Not Found: invalid name: ` +
			`a group or channel name has 1 to 99 bytes, not 0: ""`},
		{testkit.Here(), &protocol.PanicError{Value: "oops"}, "wye: panic: oops"},
		{testkit.Here(), param("page"), `wye: no route: parameter "page" is "second", which cannot be read as int: invalid syntax`},
		{testkit.Here(), param("year"), `wye: no route: parameter "year" is "99999999999999999999", which cannot be read as int: value out of range`},
		{testkit.Here(), param("size"), `wye: no route has captured a parameter "size"`},
	}
}

// person is what a peer may send.
type person struct {
	Name string `json:"name"`
	Home struct {
		Rooms []int `json:"rooms"`
	} `json:"home"`
}

type registrar struct{ consumer.Base }

func (registrar) ReceiveJSON(context.Context, *consumer.Conn, person) error { return nil }

// ofConnections are errors that connections end with, and that they return.
func ofConnections(t *testing.T) []met {
	t.Helper()
	conns := make(chan *consumer.Conn, 1)
	keep := consumer.Func(func(ctx context.Context, s *consumer.Stream) error {
		s.Discard()
		err := s.Accept(nil)
		conns <- s.Conn
		<-ctx.Done()
		return err
	})
	client := consumertest.Connect(t, keep, "/", &consumertest.Options{Limits: protocol.Limits{Groups: 1}})
	c := <-conns
	ctx := t.Context()
	rows := []met{
		{testkit.Here(), c.Join(ctx, "a", "b"), "wye: too many groups: the connection has 1, as many as Limits.Groups allows; " +
			"let it leave some, or raise that limit, for one route with router.Limit"},
		{testkit.Here(), c.SendJSON(ctx, func() {}), "wye: SendJSON: json: unsupported type: func()"},
		{testkit.Here(), c.Enter(ctx, "a", "ann", func() {}), "wye: Enter: json: unsupported type: func()"},
		{testkit.Here(), c.Accept(nil), "wye: the handshake is already answered; call Accept once, in Connect"},
	}
	client.Close(4002, "bye")
	client.WantOver()
	rows = append(rows,
		met{testkit.Here(), c.SendText(ctx, "x"), `wye: connection closed by the peer: 4002 "bye"`},
		met{testkit.Here(), c.Join(ctx, "a"), "wye: connection closed"},
	)
	closing := func(text string) error {
		peer := consumertest.Connect(t, consumer.JSON(func(*consumer.Scope) registrar { return registrar{} }), "/", nil)
		peer.SendText(text)
		return &protocol.CloseError{CloseStatus: peer.WantClose(protocol.CloseInvalidPayload)}
	}
	refused := consumertest.Refused(quiet{t}, consumer.New(func(*consumer.Scope) consumer.Base { return consumer.Base{} },
		consumer.Groups[consumer.Base]("a", "b")), "/",
		&consumertest.Options{Limits: protocol.Limits{Groups: 1}})
	return append(rows,
		met{testkit.Here(), closing(`{"name": 7}`), "wye: connection closed: 1007 invalid payload data " +
			`"not the expected JSON: field \"name\" cannot be a number"`},
		met{testkit.Here(), closing(`{"home": {"rooms": ["x"]}}`), "wye: connection closed: 1007 invalid payload data " +
			`"not the expected JSON: field \"home.rooms\" cannot be a string"`},
		met{testkit.Here(), closing(`{"name": `), `wye: connection closed: 1007 invalid payload data "not the expected JSON"`},
		met{testkit.Here(), refused.Err, "wye: joining the groups of consumer.Groups: too many groups: the connection has 1, as many as " +
			"Limits.Groups allows; let it leave some, or raise that limit, for one route with router.Limit"},
	)
}

// quiet is a test whose connections log nothing.
type quiet struct{ testing.TB }

func (quiet) Output() io.Writer { return io.Discard }

func ofLayers(t *testing.T) []met {
	t.Helper()
	ctx, l := t.Context(), new(layers.Layer)
	bad := protocol.EventType[map[string]any]{Name: "bad"}
	_, openErr := layers.Open(ctx, nil)
	_, startErr := layers.Open(ctx, down{})
	_, keepErr := l.Record(ctx, "g", bad.New(map[string]any{}), layers.Retention{MaxEvents: 1 << 20})
	positionErr := new(protocol.Position).UnmarshalText([]byte("x"))
	return []met{
		{testkit.Here(), layers.ErrDown, "wye: the layer's back end is down; delivery within this process goes on"},
		{testkit.Here(), layers.ErrChannelFull, "wye: the channel is full; its worker is too slow or not running"},
		{testkit.Here(), layers.ErrLayerClosed, "wye: the layer is closed"},
		{testkit.Here(), layers.ErrBehind, "wye: events of the group are recorded faster than its members receive them; try again later"},
		{testkit.Here(), layers.ErrJoining, "wye: another JoinFrom of this member and group has not returned yet"},
		{testkit.Here(), layers.ErrNoConsumer, "wye: no consumer has this channel name"},
		{testkit.Here(), openErr, "wye: layers.Open: the driver is nil; for a layer within this process use layers.Default or memory.New"},
		{testkit.Here(), startErr, "wye: starting the layer's driver: the layer's back end is down; delivery within this process goes on"},
		{testkit.Here(), keepErr, "wye: a history keeps at most 10000 events for 168h0m0s, and not 1048576 for 0s; keep more in a database"},
		{testkit.Here(), positionErr, `wye: "x" is not a position; write an offset, a hyphen and an epoch`},
		{testkit.Here(), l.GroupSend(ctx, "two words", bad.New(nil)), `wye: invalid name: group or channel name "two words": ` +
			`byte 3 is none of a-z A-Z 0-9 - _ . (GroupName makes a name of any text)`},
		{testkit.Here(), l.GroupSend(ctx, "g", bad.New(map[string]any{"f": func() {}})), `wye: event "bad": the payload of type map[string]interface {} cannot be encoded: ["f"]: a func() cannot be sent`},
		{testkit.Here(), l.GroupSend(ctx, "g", protocol.SendType.New(protocol.Text("\xff"))), "wye: the message is text that is not UTF-8; " +
			"send it as binary, repair it with strings.ToValidUTF8, or set Limits.RepairText"},
		{testkit.Here(), l.Enter(ctx, "g", layers.Presence{ID: "1", Key: "ann", Meta: json.RawMessage("{")}),
			`wye: the metadata of a presence are not JSON: "{"`},
		{testkit.Here(), l.Enter(ctx, "g", layers.Presence{ID: "1"}), `wye: invalid name: the key of a presence has 1 to 256 bytes, not 0: ""`},
		{testkit.Here(), (&layers.Worker{}).Run(ctx), "wye: layers.Worker: Puller and App are required"},
		{testkit.Here(), (&layers.Worker{Puller: l, App: router.NewChannelNameRouter(map[string]protocol.Application{"mail": consumer.ReceiveFunc(nothing)}), Channels: []string{"post"}}).Run(ctx),
			`wye: layers.Worker: no route for the channel "post"; known channels: mail`},
	}
}

func nothing(context.Context, *consumer.Conn, consumer.Message) error { return nil }

// down is a driver that does not start.
type down struct{ layers.Driver }

func (down) Start(context.Context, layers.Receiver) error { return layers.ErrDown }

func ofRouters() []met {
	urls := router.NewURLRouter(router.Path("room/<int:n>/", consumer.ReceiveFunc(nothing)).Name("room"))
	url := func(name string, params map[string]string) error {
		_, err := urls.URLFor(name, params)
		return err
	}
	return []met{
		{testkit.Here(), router.ErrUnauthenticated, "wye: not logged in"},
		{testkit.Here(), router.ErrForbidden, "wye: not allowed"},
		{testkit.Here(), url("rooms", nil), `wye: router.URLFor: no route has the name "rooms"; known names: room`},
		{testkit.Here(), url("room", nil), `wye: router.URLFor: "room": the parameter "n" is missing`},
		{testkit.Here(), url("room", map[string]string{"n": "1", "m": "1"}), `wye: router.URLFor: "room": the route has no parameter "m"`},
		{testkit.Here(), fmt.Errorf("%w: %w", protocol.ErrNoRoute, errCause), "wye: no route: no such table"},
	}
}
