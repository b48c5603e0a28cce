package router_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket"
	"github.com/wye-go/wye/router"
)

// lines are a log.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// TestPromise4_NoMiddlewareForPanicsIsNeeded: wherever code of a program panics on
// the way to a consumer, the answer is 500, the log has the stack, and the next
// connection is served.
func TestPromise4_NoMiddlewareForPanicsIsNeeded(t *testing.T) {
	t.Parallel()
	calm := consumer.ReceiveFunc(func(ctx context.Context, c *consumer.Conn, m consumer.Message) error { return c.Send(ctx, m) })
	wrong := func() { panic("badly wrong") }
	types := router.Converters{"bad": {Expr: "x", Check: func(string) error { wrong(); return nil }}}
	rows := []struct {
		at  testkit.Line
		app protocol.Application
	}{
		{testkit.Here(), router.NewURLRouter(types.Path("<bad:x>/", calm))},
		{testkit.Here(), router.Use(router.NewURLRouter(types.Path("<bad:x>/", calm)), plainly)},
		{testkit.Here(), router.NewURLRouter(types.Mount("<bad:x>/", router.NewURLRouter(router.Path("", calm))))},
		{testkit.Here(), router.Use(calm, router.Auth(func(context.Context, *protocol.Scope) (int, error) { wrong(); return 0, nil }))},
		{testkit.Here(), router.Use(calm, func(protocol.Application) protocol.Application {
			return protocol.ApplicationFunc(func(*protocol.Scope) (protocol.Handler, error) { wrong(); return nil, nil })
		})},
		{testkit.Here(), router.NewURLRouter(router.Path("x/", consumer.New(func(*consumer.Scope) *site { wrong(); return nil })))},
	}
	for _, row := range rows {
		var log lines
		ws := websocket.New(row.app, &websocket.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		srv := httptest.NewServer(router.New(http.NotFoundHandler(), ws, &fake{typ: "other"}))
		for range 2 {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL+"/x/", nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header = http.Header{
				"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"MDEyMzQ1Njc4OWFiY2RlZg=="},
			}
			resp, err := srv.Client().Do(r)
			if err != nil {
				t.Fatalf("%s: %v", row.at, err)
			}
			resp.Body.Close()
			if resp.StatusCode != http.StatusInternalServerError {
				t.Errorf("%s: answered with %s, want 500", row.at, resp.Status)
			}
		}
		if st := ws.Stats(); st.Panics != 2 || st.Open != 0 || st.Refused != 2 {
			t.Errorf("%s: %+v, want two panics", row.at, st)
		}
		if text := log.String(); strings.Count(text, "badly wrong") < 2 || !strings.Contains(text, "recovery_test.go") {
			t.Errorf("%s: the log has not the panic and its stack: %s", row.at, text)
		}
		srv.Close()
	}
}
