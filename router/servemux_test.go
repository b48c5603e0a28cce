package router_test

import (
	"bufio"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/router"
)

// FuzzServeMux compares a URLRouter with an http.ServeMux that has the same routes. If the
// router serves a path, the mux must choose the same route and the same parameters.
// Otherwise a path that a mux in front denies could be reached in the router behind it.
func FuzzServeMux(f *testing.F) {
	for _, target := range []string{
		"/ws/", "/ws/lobby/", "/ws/a%2Fb/", "/ws/admin/", "/ws/admin/a/", "/ws/admin%2Fa/", "/ws/%61dmin/a/", "//ws/admin/a/", "/ws//admin/a/",
		"/ws/./admin/a/", "/ws/x/../admin/a/", "/ws/x%2F..%2Fadmin/a/", "/%2Fws/admin/a/", "/ws%2Fadmin/a/", `/ws/admin%2Fa"/`, "/ws/admin/a%2F/",
		"/files/a/b", "/files/a%2Fb/c", "/files/", "/files/a/%2e%2e/b", "/other/a+b/caf%C3%A9/", "/other/a%2Bb/caf%c3%a9/", "/other/x%20y/a%2fb/",
	} {
		f.Add(target)
	}
	patterns := map[string]string{ // the mux's, by the router's
		"ws/admin/<room>/": "/ws/admin/{room}/{$}",
		"ws/<room>/":       "/ws/{room}/{$}",
		"files/<path:a>":   "/files/{a...}",
		"other/<a>/<b>/":   "/other/{a}/{b}/{$}",
	}
	var behind *protocol.Scope
	app := protocol.ApplicationFunc(func(s *protocol.Scope) (protocol.Handler, error) {
		behind = s
		return nil, protocol.NewRejectError(http.StatusTeapot, "here")
	})
	var routes []router.Route
	for _, pattern := range []string{"ws/admin/<room>/", "ws/<room>/", "files/<path:a>", "other/<a>/<b>/"} {
		routes = append(routes, router.Path(pattern, app))
	}
	urls := router.NewURLRouter(routes...)
	params := func(param func(string) string) string {
		return fmt.Sprintf("room=%q a=%q b=%q", param("room"), param("a"), param("b"))
	}
	var front string
	mux := http.NewServeMux()
	for _, pattern := range patterns {
		mux.HandleFunc(pattern, func(_ http.ResponseWriter, r *http.Request) { front = pattern + " " + params(r.PathValue) })
	}
	f.Fuzz(func(t *testing.T, target string) {
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader("GET " + target + " HTTP/1.1\r\nHost: h\r\n\r\n")))
		if err != nil {
			t.Skip("net/http refuses it")
		}
		behind, front = nil, ""
		if _, err := urls.Open(protocol.NewScope("websocket", r)); behind == nil {
			if !errors.Is(err, protocol.ErrNoRoute) {
				t.Fatalf("%q: %v", target, err)
			}
			return
		}
		got := patterns[behind.Route()] + " " + params(behind.Param)
		mux.ServeHTTP(httptest.NewRecorder(), r)
		if front != got {
			t.Fatalf("%q: the router chooses %s, the mux %s", target, got, front)
		}
	})
}
