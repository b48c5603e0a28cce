package router_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/consumer/consumertest"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket"
	"github.com/wye-go/wye/protocol/websocket/websockettest"
	"github.com/wye-go/wye/router"
)

// logRecorder keeps the text of a log, without the attributes that drop names.
type logRecorder struct {
	testkit.Buffer
	drop  string // names of attributes, with spaces around them
	write func(ctx context.Context)
}

func (l *logRecorder) logger() *slog.Logger {
	h := slog.NewTextHandler(l, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey || strings.Contains(l.drop, " "+a.Key+" ") {
			return slog.Attr{}
		}
		return a
	}})
	return slog.New(notifyingHandler{h, l})
}

// lines returns the lines of the log. The level and message of the access log are shortened
// to one word.
func (l *logRecorder) lines() []string {
	short := strings.NewReplacer(`level=INFO msg="wye: connection opened"`, "opened",
		`level=INFO msg="wye: connection refused"`, "refused", `level=INFO msg="wye: connection closed"`, "closed")
	return strings.Split(strings.TrimSuffix(short.Replace(l.String()), "\n"), "\n")
}

// notifyingHandler calls write of the recorder, with the context of the record.
type notifyingHandler struct {
	slog.Handler
	l *logRecorder
}

//nolint:gocritic // the signature is slog's
func (h notifyingHandler) Handle(ctx context.Context, r slog.Record) error {
	if h.l.write != nil {
		h.l.write(ctx)
	}
	return h.Handler.Handle(ctx, r)
}

// want checks the lines of the log.
func (l *logRecorder) want(t *testing.T, at testkit.Line, name string, want ...string) {
	t.Helper()
	if got := l.lines(); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%s: %s: logged\n\t%s\nwant\n\t%s", at, name, strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

// obey is a Receive that panics or closes if the message says so, and otherwise echoes it.
func obey(ctx context.Context, c *protocol.Conn, m protocol.Message) error {
	switch m.Text() {
	case "panic":
		panic("a fault")
	case "close":
		return protocol.NewCloseError(4001, "as you wish")
	}
	return c.Send(ctx, m)
}

// connects is a consumer that calls f in Connect.
type connects struct {
	consumer.Base
	f func(ctx context.Context)
}

func (c connects) Connect(ctx context.Context, _ *consumer.Conn) error { c.f(ctx); return nil }

const (
	logOpened = `opened path=/ws/`
	logClosed = `closed path=/ws/ code=%d reason="%s" by_peer=%t duration=%v messages_in=%d bytes_in=%d messages_out=%d bytes_out=%d`
)

// TestLogAcceptedConnections checks both lines of connections that are accepted.
func TestLogAcceptedConnections(t *testing.T) {
	t.Parallel()
	rows := []struct {
		at   testkit.Line
		name string
		is   fakes.Handler
		play func(c *consumertest.Client)
		want string
	}{
		{testkit.Here(), "closed by the peer", fakes.Handler{}, func(c *consumertest.Client) {
			for _, m := range []string{"a", "bcd"} {
				c.SendText(m)
				c.WantText(m)
			}
			<-time.After(3 * time.Second)
			c.Close(1001, "good bye")
		}, fmt.Sprintf(logClosed, 1001, "good bye", true, 3*time.Second, 2, 4, 2, 4)},
		{testkit.Here(), "broken", fakes.Handler{}, func(c *consumertest.Client) { c.Vanish() }, fmt.Sprintf(logClosed, 1006, "", false, time.Duration(0), 0, 0, 0, 0)},
		{testkit.Here(), "closed by us", fakes.Handler{}, func(c *consumertest.Client) {
			c.SendText("close")
		}, fmt.Sprintf(logClosed, 4001, "as you wish", false, time.Duration(0), 1, 5, 0, 0)},
		{testkit.Here(), "a panic", fakes.Handler{}, func(c *consumertest.Client) {
			c.SendText("panic")
		}, fmt.Sprintf(logClosed, 1011, "", false, time.Duration(0), 1, 5, 0, 0)},
		{testkit.Here(), "a panic in Disconnect, after a while", fakes.Handler{OnDisconnect: func(context.Context, *protocol.Conn, protocol.CloseStatus) {
			<-time.After(2 * time.Second)
			panic("a fault")
		}}, func(c *consumertest.Client) {
			c.Close(1000, "")
		}, fmt.Sprintf(logClosed, 1000, "", true, time.Duration(0), 0, 0, 0, 0)},
		{testkit.Here(), "Goexit in Disconnect", fakes.Handler{OnDisconnect: func(context.Context, *protocol.Conn, protocol.CloseStatus) { runtime.Goexit() }}, func(c *consumertest.Client) {
			c.Close(1000, "")
		}, fmt.Sprintf(logClosed, 1000, "", true, time.Duration(0), 0, 0, 0, 0)},
		{testkit.Here(), "an error of Connect after Accept", fakes.Handler{OnConnect: func(ctx context.Context, c *protocol.Conn) error {
			if err := c.Accept(nil); err != nil {
				return err
			}
			<-time.After(time.Second)
			_ = c.Send(ctx, protocol.Text("hello"))
			return errors.New("a fault")
		}}, func(c *consumertest.Client) { c.WantText("hello") }, fmt.Sprintf(logClosed, 1011, "", false, time.Second, 0, 0, 1, 5)},
		{testkit.Here(), "a panic in Connect after Accept", fakes.Handler{OnConnect: func(_ context.Context, c *protocol.Conn) error {
			_ = c.Accept(nil)
			panic("a fault")
		}}, func(*consumertest.Client) {}, fmt.Sprintf(logClosed, 1011, "", false, time.Duration(0), 0, 0, 0, 0)},
	}
	for _, row := range rows {
		row.is.OnReceive = obey
		synctest.Test(t, func(t *testing.T) {
			l := &logRecorder{drop: " route protocol peer "}
			c := consumertest.Connect(t, router.Use(&row.is, router.Log(l.logger())), "/ws/?token=secret", nil)
			row.play(c)
			c.WantOver()
			l.want(t, row.at, row.name, logOpened, row.want)
		})
	}
}

// refusing returns an application whose Open returns the error of f.
func refusing(f func() error) protocol.Application {
	return protocol.ApplicationFunc(func(*protocol.Scope) (protocol.Handler, error) { return nil, f() })
}

// TestLogRefusals checks that each refusal has one line, in whatever way it comes about, and
// that the peer gets the same answer as without Log.
func TestLogRefusals(t *testing.T) {
	t.Parallel()
	fault := errors.New("a fault")
	connect := func(f func() error) protocol.Application {
		return &fakes.Handler{OnConnect: func(context.Context, *protocol.Conn) error { return f() }}
	}
	panics, exits := func() error { panic(fault) }, func() error { runtime.Goexit(); return nil }
	outer := around(func(ctx context.Context, c *protocol.Conn, connect func(context.Context, *protocol.Conn) error) error {
		return errors.Join(connect(ctx, c), protocol.NewRejectError(http.StatusTeapot, "the outer one"))
	})
	rows := []struct {
		at     testkit.Line
		name   string
		app    protocol.Application
		outer  []protocol.Middleware
		accept error
		status int
		panics bool
	}{
		{testkit.Here(), "Open refuses", refusing(func() error { return protocol.NewRejectError(401, "no") }), nil, nil, 401, false},
		{testkit.Here(), "Open fails", refusing(func() error { return fault }), nil, nil, 500, false},
		{testkit.Here(), "Open has no route", refusing(func() error { return protocol.ErrNoRoute }), nil, nil, 404, false},
		{testkit.Here(), "Open panics", refusing(panics), nil, nil, 500, true},
		{testkit.Here(), "Goexit in Open", refusing(exits), nil, nil, 500, false},
		{testkit.Here(), "Open returns nothing", refusing(func() error { return nil }), nil, nil, 500, false},
		{testkit.Here(), "Connect refuses", connect(func() error { return protocol.NewRejectError(402, "no") }), nil, nil, 402, false},
		{testkit.Here(), "Connect closes", connect(func() error { return protocol.NewCloseError(4000, "no") }), nil, nil, 403, false},
		{testkit.Here(), "Connect fails", connect(func() error { return fault }), nil, nil, 500, false},
		{testkit.Here(), "Connect panics", connect(panics), nil, nil, 500, true},
		{testkit.Here(), "Goexit in Connect", connect(exits), nil, nil, 500, false},
		{testkit.Here(), "middleware in front of Log refuses", accepting(), []protocol.Middleware{outer}, nil, 418, false},
		{testkit.Here(), "middleware behind Log refuses", router.Use(accepting(), router.MaxConns(1), outer), nil, nil, 418, false},
		{testkit.Here(), "the handshake cannot be answered", accepting(), nil, fault, 500, false},
	}
	for _, row := range rows {
		l := &logRecorder{drop: " route protocol "}
		counters := &protocol.Counters{}
		w := &answers{accept: row.accept}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/ws/?token=secret", nil)
		app := router.Use(row.app, append(row.outer, router.Log(l.logger()))...)
		s := protocol.NewSession(context.Background(), app, protocol.NewScope("websocket", r), w,
			&protocol.SessionOptions{Counters: counters, Logger: slog.New(slog.DiscardHandler)})
		ended := make(chan struct{})
		s.Conn().Defer(func() { close(ended) })
		go s.Open()
		<-ended
		l.want(t, row.at, row.name, fmt.Sprintf(`refused path=/ws/ peer=192.0.2.1:1234 status=%d`, row.status))
		if w.refused == nil || w.refused.Status != row.status || (counters.Stats().Panics > 0) != row.panics {
			t.Errorf("%s: %s: the peer got %v, and %d panics were counted", row.at, row.name, w.refused, counters.Stats().Panics)
		}
	}
}

// answers is a transport that keeps the refusal.
type answers struct {
	accept  error
	refused *protocol.RejectError
}

func (a *answers) Accept(protocol.AcceptOptions) error   { return a.accept }
func (a *answers) Reject(e *protocol.RejectError)        { a.refused = e }
func (*answers) Send(protocol.Message) error             { return nil }
func (*answers) SendPrepared(p *protocol.Prepared) error { return nil }
func (*answers) Close(protocol.CloseStatus)              {}

// TestLogAcceptFirst checks that the result of CloseError.AcceptFirst is logged as a refusal
// with its code if Open returns it, and as a connection that closes if Connect does.
func TestLogAcceptFirst(t *testing.T) {
	t.Parallel()
	membersOnly := func() error { return protocol.NewCloseError(4003, "members only").AcceptFirst() }
	for _, row := range []struct {
		at   testkit.Line
		app  protocol.Application
		want []string
	}{
		{testkit.Here(), refusing(membersOnly), []string{"refused code=4003 reason=\"members only\""}},
		{
			testkit.Here(), &fakes.Handler{OnConnect: func(context.Context, *protocol.Conn) error { return membersOnly() }},
			[]string{"opened", "closed code=4003 reason=\"members only\""},
		},
	} {
		l := &logRecorder{drop: " route protocol path peer duration by_peer messages_in messages_out bytes_in bytes_out "}
		w := &answers{}
		s := protocol.NewSession(context.Background(), router.Use(row.app, router.Log(l.logger())),
			protocol.NewScope("websocket", httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/ws/", nil)), w, nil)
		ended := make(chan struct{})
		s.Conn().Defer(func() { close(ended) })
		if !s.Open() || w.refused != nil {
			t.Errorf("%s: refused with %v", row.at, w.refused)
		}
		s.Ended(protocol.CloseStatus{Code: protocol.CloseAbnormal})
		<-ended
		l.want(t, row.at, "", row.want...)
	}
}

// TestLogBehindMount checks that Log behind a mount does not log a path that no route there
// matches.
func TestLogBehindMount(t *testing.T) {
	t.Parallel()
	inner, outer := &logRecorder{drop: " route protocol peer "}, &logRecorder{drop: " route protocol peer "}
	urls := router.NewURLRouter(
		router.Mount("a/", router.Use(opaque(router.NewURLRouter(router.RePath(`^x/$`, accepting()))), router.Log(inner.logger()))),
		router.RePath(`^a/y/$`, accepting()),
	)
	app := router.Use(opaque(urls), router.Log(outer.logger()))
	c := consumertest.Connect(t, app, "/a/y/", nil)
	inner.want(t, testkit.Here(), "another route", "")
	outer.want(t, testkit.Here(), "another route", `opened path=/a/y/`)
	c.Close(1000, "")
	c.WantOver()
	_ = consumertest.Refused(t, app, "/a/z/", nil)
	inner.want(t, testkit.Here(), "no route", "")
	if got := outer.lines(); len(got) != 3 || got[2] != `refused path=/a/z/ status=404` {
		t.Errorf("logged %q", got)
	}
}

// TestLogHasRoute checks the attribute route if Log is in front of the router, and if it is
// behind.
func TestLogHasRoute(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		at   testkit.Line
		wrap func(app protocol.Application, log protocol.Middleware) protocol.Application
	}{
		{testkit.Here(), func(app protocol.Application, log protocol.Middleware) protocol.Application {
			return router.Use(router.NewURLRouter(router.RePath(`^ws/(\d+)/$`, app)), log)
		}},
		{testkit.Here(), func(app protocol.Application, log protocol.Middleware) protocol.Application {
			return router.NewURLRouter(router.RePath(`^ws/(\d+)/$`, router.Use(app, log)))
		}},
	} {
		l := &logRecorder{drop: " protocol peer "}
		c := consumertest.Connect(t, row.wrap(accepting(), router.Log(l.logger())), "/ws/7/", nil)
		c.Close(1000, "")
		c.WantOver()
		for _, line := range l.lines() {
			wantAll(t, row.at, line, `route=^ws/(\d+)/$ path=/ws/7/`)
		}
		refused := row.wrap(refusing(func() error { return protocol.NewRejectError(401, "no") }), router.Log(l.logger()))
		_ = consumertest.Refused(t, refused, "/ws/8/", nil)
		wantAll(t, row.at, l.lines()[2], `path=/ws/8/`)
	}
}

// TestLogQuotesPath checks that a path cannot forge a line, and that the query is not logged.
func TestLogQuotesPath(t *testing.T) {
	t.Parallel()
	l := &logRecorder{drop: " route protocol peer "}
	app := router.Use(accepting(), router.Log(l.logger()))
	c := consumertest.Connect(t, app, "/ws/%0alevel=ERROR%20msg=%22lies%22?token=secret", nil)
	c.Close(1000, "\n")
	c.WantOver()
	lines := l.lines()
	if len(lines) != 2 || lines[0] != `opened path="/ws/\nlevel=ERROR msg=\"lies\""` || strings.Contains(strings.Join(lines, ""), "secret") {
		t.Errorf("logged %q", lines)
	}
}

type logKey struct{ name string }

// TestLogContext checks that a slog.Handler, like the consumer, gets a context that is not
// done and has the values of the request and of middleware.
func TestLogContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := &logRecorder{}
		var found []string
		check := func(ctx context.Context, request bool) {
			if ctx.Value(logKey{"outer"}) != "outer" || request && ctx.Value(logKey{"request"}) != "request" || ctx.Err() != nil {
				t.Errorf("the context has %v and %v (%v)", ctx.Value(logKey{"outer"}), ctx.Value(logKey{"request"}), ctx.Err())
			}
		}
		l.write = func(ctx context.Context) {
			check(ctx, len(found) == 0)
			found = append(found, "a line")
		}
		app := consumer.New(func(*consumer.Scope) connects { return connects{f: func(ctx context.Context) { check(ctx, true) }} })
		auth := func(next protocol.Application) protocol.Application {
			return protocol.Wrap(next, func(s *protocol.Scope) (protocol.Handler, error) {
				return next.Open(s.WithValue(logKey{"outer"}, "outer"))
			})
		}
		c := consumertest.Connect(t, router.Use(app, auth, router.Log(l.logger())), "/", &consumertest.Options{
			Context: context.WithValue(t.Context(), logKey{"request"}, "request"),
		})
		c.Close(1000, "")
		c.WantOver()
		if len(found) != 2 {
			t.Errorf("%d lines, want 2", len(found))
		}
	})
}

// TestLogHandlerUsesConnection checks that a slog.Handler may use the connection, because no
// lock is held when it is called.
func TestLogHandlerUsesConnection(t *testing.T) {
	t.Parallel()
	var conn *protocol.Conn
	l := &logRecorder{drop: " route protocol peer duration "}
	l.write = func(ctx context.Context) {
		_ = conn.Traffic()
		_ = conn.Send(ctx, protocol.Text("x"))
		conn.Defer(func() {})
		conn.Close(4002, "by the logger")
	}
	app := &fakes.Handler{OnConnect: func(_ context.Context, c *protocol.Conn) error { conn = c; return nil }}
	c := consumertest.Connect(t, router.Use(app, router.Log(l.logger())), "/", nil)
	c.WantText("x")
	c.WantClose(4002)
	c.WantOver()
	l.want(t, testkit.Here(), "a logger that closes", `opened path=/`,
		`closed path=/ code=4002 reason="by the logger" by_peer=false messages_in=0 bytes_in=0 messages_out=1 bytes_out=1`)
}

// TestLogNil is not parallel, because it sets the default logger.
func TestLogNil(t *testing.T) {
	app := router.Use(refusing(func() error { return protocol.NewRejectError(401, "no") }), router.Log(nil))
	l := &logRecorder{drop: " route protocol peer "}
	slog.SetDefault(l.logger())
	defer slog.SetDefault(slog.New(slog.NewTextHandler(os.Stderr, nil)))
	_ = consumertest.Refused(t, app, "/", nil)
	l.want(t, testkit.Here(), "the default logger, as it is now", `refused path=/ status=401`)
}

// TestLogOverSocket checks the log of a server on a real socket.
func TestLogOverSocket(t *testing.T) {
	t.Parallel()
	l := &logRecorder{drop: " route peer duration "}
	s := websocket.New(router.Use(&fakes.Handler{OnReceive: obey}, router.Log(l.logger())), &websocket.Options{Logger: slog.New(slog.DiscardHandler)})
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	c := websockettest.Dial(t, srv.URL+"/ws/?token=secret", nil)
	c.SendText("hello")
	c.WantText("hello")
	c.Send(websockettest.Ping("not counted"))
	c.Want(websockettest.Pong("not counted"))
	ended := make(chan error, 1)
	go func() { ended <- s.Shutdown(context.Background()) }()
	c.WantClose(protocol.CloseGoingAway)
	c.Send(websockettest.Close(protocol.CloseGoingAway, ""))
	c.Conn.Close()
	if err := testkit.Await(t, ended, "Shutdown"); err != nil {
		t.Error(err)
	}
	l.want(t, testkit.Here(), "a server that shuts down", `opened protocol=websocket path=/ws/`,
		`closed protocol=websocket path=/ws/ code=1001 reason="the server is shutting down" by_peer=false messages_in=1 bytes_in=5 messages_out=1 bytes_out=5`)
}

// TestLogRefusalHasRoute checks that the line of a refusal has the route, if Log is in front
// of the router.
func TestLogRefusalHasRoute(t *testing.T) {
	t.Parallel()
	l := &logRecorder{drop: " protocol peer "}
	urls := router.NewURLRouter(router.Path("admin/<int:id>/", router.Use(accepting(), router.Auth(func(context.Context, *protocol.Scope) (string, error) { return "", router.ErrUnauthenticated }))))
	_ = consumertest.Refused(t, router.Use(urls, router.Log(l.logger())), "/admin/7/", nil)
	l.want(t, testkit.Here(), "in front", `refused route=admin/<int:id>/ path=/admin/7/ status=401`)
}

// TestLogNotFoundBehindPath checks that Log behind a Path has a line for ErrNoRoute, because
// the router in front tries no other route.
func TestLogNotFoundBehindPath(t *testing.T) {
	t.Parallel()
	l := &logRecorder{drop: " protocol peer "}
	gone := protocol.ApplicationFunc(func(s *protocol.Scope) (protocol.Handler, error) {
		_, err := protocol.ParamAs[bool](s, "x")
		return nil, err
	})
	urls := router.NewURLRouter(router.Path("ws/<x>/", router.Use(gone, router.Log(l.logger()))))
	_ = consumertest.Refused(t, urls, "/ws/maybe/", nil)
	l.want(t, testkit.Here(), "within", `refused route=ws/<x>/ path=/ws/maybe/ status=404`)
}
