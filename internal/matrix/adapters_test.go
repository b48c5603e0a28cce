package matrix_test

import (
	"net/http"
	"net/netip"

	"github.com/gin-gonic/gin"
	"github.com/go-chi/chi/v5"
	"github.com/gorilla/mux"
	"github.com/julienschmidt/httprouter"
	"github.com/labstack/echo/v4"

	"github.com/wye-go/wye/protocol/websocket"
)

// The functions of this file are made to be copied; those that docs/deployment.md
// shows stand there word by word.

func ginHandler(h http.Handler) gin.HandlerFunc {
	return func(c *gin.Context) {
		for _, p := range c.Params {
			c.Request.SetPathValue(p.Key, p.Value)
		}
		h.ServeHTTP(c.Writer, c.Request)
	}
}

func echo4Handler(h http.Handler) echo.HandlerFunc {
	return func(c echo.Context) error {
		for _, name := range c.ParamNames() {
			c.Request().SetPathValue(name, c.Param(name))
		}
		h.ServeHTTP(c.Response(), c.Request())
		return nil
	}
}

func gorillaValues(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name, value := range mux.Vars(r) {
			r.SetPathValue(name, value)
		}
		next.ServeHTTP(w, r)
	})
}

func chiPath(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		chi.RouteContext(r.Context()).RoutePath = r.URL.Path
		next.ServeHTTP(w, r)
	})
}

func httprouterValues(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, p := range httprouter.ParamsFromContext(r.Context()) {
			r.SetPathValue(p.Key, p.Value)
		}
		next.ServeHTTP(w, r)
	})
}

// behindProxy sets the options of a server whose proxy is on the same machine, over TCP
// or a Unix socket.
func behindProxy(o *websocket.Options) *websocket.Options {
	o.TrustedProxies = []netip.Prefix{
		netip.MustParsePrefix("127.0.0.1/32"),
		netip.MustParsePrefix("::1/128"),
	}
	return o
}
