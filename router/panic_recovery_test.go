package router_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket"
	"github.com/wye-go/wye/protocol/websocket/websockettest"
	"github.com/wye-go/wye/router"
)

// TestPromise4_PanicsInFrontOfConsumers checks that a panic in a converter, middleware or
// factory is answered with 500 and logged with its stack, and that the next connection is
// served.
func TestPromise4_PanicsInFrontOfConsumers(t *testing.T) {
	t.Parallel()
	echo := consumer.ReceiveFunc(func(ctx context.Context, c *consumer.Conn, m consumer.Message) error { return c.Send(ctx, m) })
	fail := func() { panic("a fault") }
	types := router.Converters{"bad": {Expr: "x", Check: func(string) error { fail(); return nil }}}
	rows := []struct {
		at  testkit.Line
		app protocol.Application
	}{
		{testkit.Here(), router.NewURLRouter(types.Path("<bad:x>/", echo))},
		{testkit.Here(), router.Use(router.NewURLRouter(types.Path("<bad:x>/", echo)), opaque)},
		{testkit.Here(), router.NewURLRouter(types.Mount("<bad:x>/", router.NewURLRouter(router.Path("", echo))))},
		{testkit.Here(), router.Use(echo, router.Auth(func(context.Context, *protocol.Scope) (int, error) { fail(); return 0, nil }))},
		{testkit.Here(), router.Use(echo, func(protocol.Application) protocol.Application {
			return protocol.ApplicationFunc(func(*protocol.Scope) (protocol.Handler, error) { fail(); return nil, nil })
		})},
		{testkit.Here(), router.NewURLRouter(router.Path("x/", consumer.New(func(*consumer.Scope) *site { fail(); return nil })))},
	}
	for _, row := range rows {
		var log testkit.Buffer
		ws := websocket.New(row.app, &websocket.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		srv := httptest.NewServer(router.New(http.NotFoundHandler(), ws, &fake{typ: "other"}))
		for range 2 {
			if a := websockettest.Refused(t, srv.URL+"/x/", nil); a.Status != http.StatusInternalServerError {
				t.Errorf("%s: answered with %d, want 500", row.at, a.Status)
			}
		}
		if st := ws.Stats(); st.Panics != 2 || st.Open != 0 || st.Refused != 2 {
			t.Errorf("%s: %+v, want two panics", row.at, st)
		}
		if text := log.String(); strings.Count(text, "a fault") < 2 || !strings.Contains(text, "panic_recovery_test.go") {
			t.Errorf("%s: the log does not have the panic and its stack: %s", row.at, text)
		}
		srv.Close()
	}
}
