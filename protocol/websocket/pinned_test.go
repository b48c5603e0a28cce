package websocket_test

import (
	"context"
	"log/slog"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unsafe"
	"weak"

	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket"
	"github.com/wye-go/wye/protocol/websocket/websockettest"
	"github.com/wye-go/wye/router"
)

// TestRequestIsNotKept keeps what applications keep of a scope, while the connection
// is open: the memory of the request's line and of its headers must be free all the
// same, because a peer can make both large.
func TestRequestIsNotKept(t *testing.T) {
	t.Parallel()
	type name string
	long := strings.Repeat("x", 5<<10)
	query := "?token=q&" + long + "=1&long=" + long
	rows := map[string]struct {
		path   string
		routes func(app protocol.Application) protocol.Application
		keep   func(s *protocol.Scope) []string
	}{
		"the connection's own": {"/" + long + query, nil, func(*protocol.Scope) []string { return nil }},
		"Param": {"/ws/r/" + long + "/" + query, func(app protocol.Application) protocol.Application {
			return router.NewURLRouter(router.Path("ws/<slug:room>/<str:rest>/", app))
		}, func(s *protocol.Scope) []string { return []string{s.Param("room")} }},
		"ParamAs": {"/ws/r/" + long + "/" + query, func(app protocol.Application) protocol.Application {
			return router.NewURLRouter(router.Path("ws/<slug:room>/<str:rest>/", app))
		}, func(s *protocol.Scope) []string {
			room, err := protocol.ParamAs[name](s, "room")
			if err != nil {
				t.Error(err)
			}
			return []string{string(room)}
		}},
		"Args, Route": {"/ws/r/" + long + "/" + query, func(app protocol.Application) protocol.Application {
			return router.NewURLRouter(router.Mount("ws/", router.NewURLRouter(router.RePath(`^(\w)/(\w+)/$`, app))))
		}, func(s *protocol.Scope) []string { return []string{s.Args()[0], s.Route()} }},
		"Query": {"/" + query, nil, func(s *protocol.Scope) []string {
			kept := []string{s.Query().Get("token")}
			for name := range s.Query() {
				if len(name) < 10 {
					kept = append(kept, name)
				}
			}
			return kept
		}},
		"User": {"/" + query, func(app protocol.Application) protocol.Application {
			return router.Use(app, router.Auth(func(_ context.Context, s *protocol.Scope) (string, error) {
				return s.Query().Get("token"), nil
			}))
		}, func(s *protocol.Scope) []string { return []string{s.User().(string)} }},
		"Log, MaxConns": {"/" + query, func(app protocol.Application) protocol.Application {
			return router.Use(app, router.Log(slog.New(slog.DiscardHandler)), router.MaxConns(10))
		}, func(s *protocol.Scope) []string {
			return []string{s.RemoteAddr(), s.Subprotocols()[0], s.Subprotocol("chat")}
		}},
		"http.ServeMux": {"/live/r/" + long + query, nil, func(s *protocol.Scope) []string { return []string{s.Param("room")} }},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inMemory(t, func(t *testing.T, via carrier) {
				var kept []string
				var line, header weak.Pointer[byte]
				app := fakes.Echo()
				app.OnOpen = func(s *protocol.Scope) error {
					r := s.Request()
					line = weak.Make(unsafe.StringData(r.RequestURI))
					header = weak.Make(unsafe.StringData(r.Header.Get("Sec-Websocket-Protocol")))
					kept = row.keep(s)
					return nil
				}
				var routed protocol.Application = app
				if row.routes != nil {
					routed = row.routes(app)
				}
				s := newServer(routed, &websocket.Options{Subprotocols: []string{"chat"}})
				mux := http.NewServeMux()
				mux.Handle("/", s.Server)
				mux.Handle("GET /live/{room}/{rest}", s.Server)
				s.listenOver(t, via, mux)
				p := s.peer(t)
				p.Upgrade(websockettest.Request(row.path, "Sec-WebSocket-Protocol: chat, "+long))
				for range 100 {
					runtime.GC()
					if line.Value() == nil && header.Value() == nil {
						break
					}
				}
				if line.Value() != nil || header.Value() != nil {
					t.Errorf("kept: line %v, headers %v", line.Value() != nil, header.Value() != nil)
				}
				if n := websocket.LongestNote(s.Server); n > 200 {
					t.Errorf("%d bytes are kept for the log, want 200 at the most", n)
				}
				p.SendText("still open")
				p.WantText("still open")
				if slices.Contains(kept, "") {
					t.Errorf("the application has got %q", kept)
				}
				p.closes()
				runtime.KeepAlive(kept)
			})
		})
	}
}
