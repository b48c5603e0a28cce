package routing

import (
	"net/http"

	"github.com/go-chi/chi/v5"
	"github.com/gorilla/mux"
	"github.com/julienschmidt/httprouter"

	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/router"
)

// server is a router that is compared.
type server struct {
	name string
	// make returns a function that takes a request to the application of its
	// route, which writes down what it sees.
	make func(patterns []string, s *seen) func(*http.Request)
}

// Patterns of the others say no more than that there is a parameter; those of
// chi-regexp say what it may be, as Wye's do.
func servers() []server {
	return []server{
		{"wye", serveWye},
		{"wye-find", findWye},
		{"chi", serveChi},
		{"chi-regexp", serveChiRegexp},
		{"servemux", serveServeMux},
		{"httprouter", serveHTTPRouter},
		{"gorilla", serveGorilla},
	}
}

func serveWye(patterns []string, s *seen) func(*http.Request) {
	return openWye(urls(patterns, s))
}

func urls(patterns []string, s *seen) *router.URLRouter {
	routes := make([]router.Route, len(patterns))
	for i, p := range patterns {
		routes[i] = router.Path(p, app(i, firstParam(p), s))
	}
	return router.NewURLRouter(routes...)
}

func openWye(u *router.URLRouter) func(*http.Request) {
	return func(r *http.Request) {
		_, _ = u.Open(protocol.NewScope("websocket", r)) // the application has written down what there is to know
	}
}

// findWye asks first whether there is a route, as websocket.Server does before it
// looks at the rest of the handshake.
func findWye(patterns []string, s *seen) func(*http.Request) {
	u := urls(patterns, s)
	return func(r *http.Request) {
		scope := protocol.NewScope("websocket", r)
		if u.Find(scope) == nil {
			_, _ = u.Open(scope)
		}
	}
}

// app is the application of route i.
func app(i int, param string, s *seen) protocol.Application {
	var opened struct{ protocol.Handler }
	var h protocol.Handler = &opened
	return protocol.ApplicationFunc(func(scope *protocol.Scope) (protocol.Handler, error) {
		s.route = i
		if param != "" {
			s.value = scope.Param(param)
		}
		return h, nil
	})
}

func serveChi(patterns []string, s *seen) func(*http.Request) {
	return chiOf(patterns, "{$2}", s)
}

func serveChiRegexp(patterns []string, s *seen) func(*http.Request) {
	return chiOf(patterns, "{$2:[-a-zA-Z0-9_]+}", s)
}

func chiOf(patterns []string, param string, s *seen) func(*http.Request) {
	m := chi.NewRouter()
	for i, p := range patterns {
		m.Get(translated(p, param), handler(i, firstParam(p), s, chi.URLParam))
	}
	return answer(m)
}

func serveServeMux(patterns []string, s *seen) func(*http.Request) {
	m := http.NewServeMux()
	for i, p := range patterns {
		m.HandleFunc("GET "+translated(p, "{$2}")+"{$}", handler(i, firstParam(p), s, (*http.Request).PathValue))
	}
	return answer(m)
}

func serveHTTPRouter(patterns []string, s *seen) func(*http.Request) {
	m := httprouter.New()
	for i, p := range patterns {
		param := firstParam(p)
		m.GET(translated(p, ":$2"), func(_ http.ResponseWriter, _ *http.Request, params httprouter.Params) {
			s.route = i
			if param != "" {
				s.value = params.ByName(param)
			}
		})
	}
	return answer(m)
}

func serveGorilla(patterns []string, s *seen) func(*http.Request) {
	m := mux.NewRouter()
	get := func(r *http.Request, name string) string { return mux.Vars(r)[name] }
	for i, p := range patterns {
		m.HandleFunc(translated(p, "{$2}"), handler(i, firstParam(p), s, get)).Methods(http.MethodGet)
	}
	return answer(m)
}

// translated is a pattern as others write it.
func translated(pattern, param string) string {
	return "/" + parameter.ReplaceAllString(pattern, param)
}

func handler(i int, param string, s *seen, get func(*http.Request, string) string) http.HandlerFunc {
	return func(_ http.ResponseWriter, r *http.Request) {
		s.route = i
		if param != "" {
			s.value = get(r, param)
		}
	}
}

func answer(h http.Handler) func(*http.Request) {
	w := nowhere{}
	return func(r *http.Request) { h.ServeHTTP(w, r) }
}

// nowhere is a ResponseWriter that does nothing.
type nowhere http.Header

func (w nowhere) Header() http.Header { return http.Header(w) }

func (nowhere) Write(b []byte) (int, error) { return len(b), nil }

func (nowhere) WriteHeader(int) {}
