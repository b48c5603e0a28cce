package matrix_test

import (
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/gin-contrib/gzip"
	"github.com/gin-gonic/gin"
	"github.com/go-chi/chi/v5"
	chimiddleware "github.com/go-chi/chi/v5/middleware"
	"github.com/gorilla/mux"
	"github.com/julienschmidt/httprouter"
	echo4 "github.com/labstack/echo/v4"
	echo4middleware "github.com/labstack/echo/v4/middleware"
	echo5 "github.com/labstack/echo/v5"
	echo5middleware "github.com/labstack/echo/v5/middleware"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol"
)

const (
	seenName = "seen"
	seen     = "seen=by-middleware"
	long     = 10 * time.Minute
)

// setCookie is middleware of net/http that leaves its mark in the answer.
func setCookie(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Set-Cookie", seen)
		next.ServeHTTP(w, r)
	})
}

// routerRow is a router with middleware of its own.
type routerRow struct {
	name string
	at   testkit.Line
	// mount puts the rooms of b behind the router.
	mount func(b *bed) http.Handler
	// room is how a consumer gets the router's parameter, in its factory or in
	// Connect. nil is Scope.Param; otherwise that does not find it.
	room func(s *protocol.Scope) string
	// kept says that Scope.Param finds it also after the handshake.
	kept bool
	// encoded says that a parameter comes as the client wrote it, if that is not
	// how net/url would.
	encoded bool
	// slash is what the parameter is if the client writes a%2Fb; "" is not found.
	slash string
	// direct says that it asks the next writer for the connection, and not what
	// that one wraps.
	direct bool
	// lost says that it answers with 200 when that has failed, whatever status
	// it is given: it takes the answer for begun.
	lost bool
}

// routers are the rows of the matrix.
func routers() []routerRow {
	return []routerRow{
		{name: "ServeMux", at: testkit.Here(), mount: serveMux, kept: true, slash: "a/b"},
		// Since 5.1 it sets the request's path values.
		{name: "chi", at: testkit.Here(), mount: chiRouter, kept: true, encoded: true, slash: "a%2Fb"},
		{name: "chi, Compress", at: testkit.Here(), mount: chiCompress, kept: true, encoded: true, slash: "a%2Fb", direct: true},
		// It has its parameters in its own context only. Its Hijack panics where the
		// next writer has none.
		{name: "gin", at: testkit.Here(), mount: ginEngine(gin.WrapH), room: fromPath, direct: true, lost: true},
		{name: "gin, path values", at: testkit.Here(), mount: ginEngine(ginHandler), direct: true, lost: true},
		{
			name: "gin, gzip", at: testkit.Here(), mount: ginEngine(ginHandler, gzip.Gzip(gzip.DefaultCompression)),
			direct: true, lost: true,
		},
		{name: "echo v4", at: testkit.Here(), mount: echoV4(echo4.WrapHandler), room: fromPath, slash: "a/b"}, // as gin
		{name: "echo v4, path values", at: testkit.Here(), mount: echoV4(echo4Handler), encoded: true, slash: "a%2Fb"},
		{name: "echo v4, Gzip", at: testkit.Here(), mount: echoV4(echo4Handler, echo4middleware.Gzip()), encoded: true, slash: "a%2Fb"},
		{name: "echo v5", at: testkit.Here(), mount: echoV5(), kept: true, encoded: true, slash: "a%2Fb"},
		{name: "echo v5, Gzip", at: testkit.Here(), mount: echoV5(echo5middleware.Gzip()), kept: true, encoded: true, slash: "a%2Fb"},
		// These have them in the request's context.
		{name: "gorilla/mux", at: testkit.Here(), mount: gorillaMux(), room: fromVars},
		{name: "gorilla/mux, path values", at: testkit.Here(), mount: gorillaMux(gorillaValues)},
		{name: "httprouter", at: testkit.Here(), mount: httpRouter(asItIs), room: fromParams},
		{name: "httprouter, path values", at: testkit.Here(), mount: httpRouter(httprouterValues)},
	}
}

// fromPath needs nothing of the router: to Wye the path is whole. A URLRouter
// would find more in it.
func fromPath(s *protocol.Scope) string {
	_, room, _ := strings.Cut(s.Path()[1:], "/")
	return room
}

func fromVars(s *protocol.Scope) string { return mux.Vars(s.Request())["room"] }

func fromParams(s *protocol.Scope) string {
	return httprouter.ParamsFromContext(s.Context()).ByName("room")
}

func serveMux(b *bed) http.Handler { return setCookie(b.mux()) }

func chiRouter(b *bed) http.Handler { return chiWith(b) }

func chiCompress(b *bed) http.Handler { return chiWith(b, chimiddleware.Compress(5)) }

func chiWith(b *bed, more ...func(http.Handler) http.Handler) http.Handler {
	r := chi.NewRouter()
	r.Use(
		chimiddleware.RequestID,
		chimiddleware.RealIP, //nolint:staticcheck // many programs use it
		chimiddleware.RequestLogger(&chimiddleware.DefaultLogFormatter{Logger: slog.NewLogLogger(slog.DiscardHandler, 0)}),
		chimiddleware.Recoverer,
		chimiddleware.Timeout(long),
		setCookie,
	)
	r.Use(more...)
	r.Method(http.MethodGet, "/live/{room}", b.ws)
	r.Handle("/both/{room}", b.both)
	return r
}

// ginEngine mounts the rooms with wrap.
func ginEngine(wrap func(http.Handler) gin.HandlerFunc, more ...gin.HandlerFunc) func(*bed) http.Handler {
	return func(b *bed) http.Handler {
		e := gin.New()
		e.Use(gin.LoggerWithWriter(io.Discard), gin.RecoveryWithWriter(b.log))
		e.Use(func(c *gin.Context) { c.SetCookie(seenName, "by-middleware", 0, "", "", false, false) })
		e.Use(more...)
		e.GET("/live/:room", wrap(b.ws))
		e.Any("/both/:room", wrap(b.both))
		return e
	}
}

// echoV4 mounts the rooms with wrap.
func echoV4(wrap func(http.Handler) echo4.HandlerFunc, more ...echo4.MiddlewareFunc) func(*bed) http.Handler {
	return func(b *bed) http.Handler {
		e := echo4.New()
		e.Logger.SetOutput(b.log)
		e.Use(
			echo4middleware.LoggerWithConfig(echo4middleware.LoggerConfig{Output: io.Discard}), //nolint:staticcheck // many programs use it
			echo4middleware.Recover(),
			echo4middleware.RequestID(),
			func(next echo4.HandlerFunc) echo4.HandlerFunc {
				return func(c echo4.Context) error {
					c.SetCookie(&http.Cookie{Name: seenName, Value: "by-middleware"})
					return next(c)
				}
			})
		e.Use(more...)
		e.GET("/live/:room", wrap(b.ws))
		e.Any("/both/:room", wrap(b.both))
		return e
	}
}

func echoV5(more ...echo5.MiddlewareFunc) func(*bed) http.Handler {
	return func(b *bed) http.Handler {
		e := echo5.New()
		e.Use(
			echo5middleware.RequestLoggerWithConfig(echo5middleware.RequestLoggerConfig{
				LogStatus:     true,
				LogValuesFunc: func(*echo5.Context, echo5middleware.RequestLoggerValues) error { return nil },
			}),
			echo5middleware.Recover(),
			echo5middleware.RequestID(),
			func(next echo5.HandlerFunc) echo5.HandlerFunc {
				return func(c *echo5.Context) error {
					c.SetCookie(&http.Cookie{Name: seenName, Value: "by-middleware"})
					return next(c)
				}
			})
		e.Use(more...)
		e.GET("/live/:room", echo5.WrapHandler(b.ws))
		e.Any("/both/:room", echo5.WrapHandler(b.both))
		return e
	}
}

func gorillaMux(more ...mux.MiddlewareFunc) func(*bed) http.Handler {
	return func(b *bed) http.Handler {
		r := mux.NewRouter()
		r.Use(setCookie)
		r.Use(more...)
		r.Handle("/live/{room}", b.ws).Methods(http.MethodGet)
		r.Handle("/both/{room}", b.both)
		return r
	}
}

// httpRouter mounts the rooms with wrap.
func httpRouter(wrap func(http.Handler) http.Handler) func(*bed) http.Handler {
	return func(b *bed) http.Handler {
		r := httprouter.New()
		r.Handler(http.MethodGet, "/live/:room", wrap(b.ws))
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			r.Handler(method, "/both/:room", wrap(b.both))
		}
		return setCookie(r)
	}
}

func asItIs(h http.Handler) http.Handler { return h }
