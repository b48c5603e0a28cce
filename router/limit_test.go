package router_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/consumer/consumertest"
	"github.com/wye-go/wye/internal/plumbing"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/router"
)

// accepting returns an application that accepts every connection and ignores messages.
func accepting() protocol.Application {
	return consumer.New(func(*consumer.Scope) consumer.Base { return consumer.Base{} })
}

// limitsOf returns the limits of a connection that app serves.
func limitsOf(t *testing.T, app protocol.Application) protocol.Limits {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/ws/a/", nil)
	s := protocol.NewSession(t.Context(), app, protocol.NewScope("websocket", r), make(firstMessage, 1), nil)
	ended := make(chan struct{})
	s.Conn().Defer(func() { close(ended) })
	if !s.Open() {
		t.Fatal("refused")
	}
	s.Ended(protocol.CloseStatus{Code: protocol.CloseAbnormal})
	<-ended
	return s.Limits()
}

func TestLimitInnermostWins(t *testing.T) {
	t.Parallel()
	route := func(app protocol.Application) protocol.Application {
		return router.NewURLRouter(router.RePath(`^ws/`, app))
	}
	defaults := protocol.Limits{}.WithDefaults()
	with := func(change func(*protocol.Limits)) protocol.Limits {
		l := defaults
		change(&l)
		return l
	}
	rows := []struct {
		at   testkit.Line
		app  protocol.Application
		want protocol.Limits
	}{
		{testkit.Here(), accepting(), defaults},
		{testkit.Here(), router.Use(accepting(), router.Limit(protocol.Limits{})), defaults},
		{testkit.Here(), router.Use(accepting(), router.Limit(protocol.Limits{MinRate: 1}), router.Limit(protocol.Limits{MinRate: 2})), with(func(l *protocol.Limits) { l.MinRate = 2 })},
		{testkit.Here(), router.Use(route(router.Use(accepting(), router.Limit(protocol.Limits{MinRate: 2}))), router.Limit(protocol.Limits{MinRate: 1})), with(func(l *protocol.Limits) { l.MinRate = 2 })},
		{testkit.Here(), router.Use(accepting(), router.Limit(protocol.Limits{MinRate: 1}), router.Limit(protocol.Limits{QueueEvents: 2})), with(func(l *protocol.Limits) { l.MinRate, l.QueueEvents = 1, 2 })},
	}
	for _, row := range rows {
		if got := limitsOf(t, row.app); got != row.want {
			t.Errorf("%s: got %+v, want %+v", row.at, got, row.want)
		}
	}
}

// TestLimitInTestKit checks that package consumertest obeys the limits as a server does.
func TestLimitInTestKit(t *testing.T) {
	t.Parallel()
	app := consumer.ReceiveFunc(func(ctx context.Context, c *consumer.Conn, _ consumer.Message) error {
		var errs []string
		for range 11 {
			if err := c.SendText(ctx, "twelve bytes"); err != nil {
				errs = append(errs, err.Error())
			}
		}
		return c.SendText(context.WithoutCancel(ctx), strings.Join(errs, ","))
	})
	limited := router.Use(app, router.Limit(protocol.Limits{QueueBytes: 30, Overflow: protocol.OverflowClose}))
	c := consumertest.Connect(t, limited, "/", &consumertest.Options{Limits: protocol.Limits{Overflow: protocol.OverflowDropNewest}})
	c.SendText("go")
	for range 10 { // up to four times the limit within a second
		c.WantText("twelve bytes")
	}
	c.WantClose(protocol.CloseTryAgainLater)
	c = consumertest.Connect(t, app, "/", nil)
	c.SendText("go")
	for range 11 {
		c.WantText("twelve bytes")
	}
	c.WantText("")
}

// TestLimitAfterAccept checks that a connection fails if middleware further out has
// already accepted it.
func TestLimitAfterAccept(t *testing.T) {
	t.Parallel()
	eager := around(func(ctx context.Context, c *protocol.Conn, connect func(context.Context, *protocol.Conn) error) error {
		if err := c.Accept(nil); err != nil {
			return err
		}
		return connect(ctx, c)
	})
	c := consumertest.Connect(t, router.Use(accepting(), eager, router.Limit(protocol.Limits{MinRate: 1})), "/", nil)
	if st := c.WantClose(protocol.CloseInternalError); !errors.Is(st.Err, plumbing.ErrAccepted) {
		t.Errorf("closed because of %v, want ErrAccepted", st.Err)
	}
}

// around returns middleware that calls f in place of Connect.
func around(f func(ctx context.Context, c *protocol.Conn, connect func(context.Context, *protocol.Conn) error) error) protocol.Middleware {
	return func(next protocol.Application) protocol.Application {
		return protocol.Wrap(next, func(s *protocol.Scope) (protocol.Handler, error) {
			h, err := next.Open(s)
			if err != nil {
				return nil, err
			}
			return connecting{h, f}, nil
		})
	}
}

type connecting struct {
	protocol.Handler
	f func(context.Context, *protocol.Conn, func(context.Context, *protocol.Conn) error) error
}

func (h connecting) Connect(ctx context.Context, c *protocol.Conn) error {
	return h.f(ctx, c, h.Handler.Connect)
}
