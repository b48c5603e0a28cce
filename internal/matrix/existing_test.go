//nolint:errcheck // a reader who has gone misses nothing
package matrix_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/protocol/websocket"
	"github.com/wye-go/wye/router"
)

// docs/existing-program.md quotes this file and existing_routers_test.go word by word.

type viewer struct {
	consumer.Base
	item string
}

type price struct {
	Now string `json:"now"`
}

var repriced = consumer.EventType[price]{Name: "item.repriced"}

func newViewer(s *consumer.Scope) *viewer { return &viewer{item: s.Param("item")} }

func (v *viewer) Connect(ctx context.Context, c *consumer.Conn) error {
	user, ok := ctx.Value(userKey{}).(string) // set by login
	if !ok {
		return consumer.NewRejectError(http.StatusUnauthorized, "log in first")
	}
	if err := c.Join(ctx, "item."+v.item); err != nil {
		return err
	}
	return c.SendText(ctx, user+" looks at "+v.item)
}

func (v *viewer) repriced(ctx context.Context, c *consumer.Conn, p price) error {
	return c.SendText(ctx, v.item+" costs "+p.Now)
}

func newLive() *websocket.Server {
	return websocket.New(consumer.New(newViewer, consumer.On(repriced, (*viewer).repriced)), nil)
}

// These handlers are the program before Wye.

type userKey struct{}

func login(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, err := r.Cookie("user"); err == nil {
			r = r.WithContext(context.WithValue(r.Context(), userKey{}, c.Value))
		}
		next.ServeHTTP(w, r)
	})
}

func showItem(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(w, "a page about %s", r.PathValue("item"))
}

// setPrice is a plain handler that sends an event to the viewers of the item.
func setPrice(w http.ResponseWriter, r *http.Request) {
	group, now := "item."+r.PathValue("item"), r.FormValue("price")
	if err := layers.Default().GroupSend(r.Context(), group, repriced.New(price{now})); err != nil {
		http.Error(w, "no such item", http.StatusBadRequest)
	}
}

func withServeMux(live *websocket.Server) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /items/{item}", setPrice)
	mux.Handle("GET /live/{item}", live)                                          // new
	mux.Handle("GET /items/{item}", router.New(http.HandlerFunc(showItem), live)) // a page and a socket
	return login(mux)
}

func accessLog(log *slog.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(seen, r)
		log.InfoContext(r.Context(), "served", "path", r.URL.Path, "status", seen.status)
	})
}

type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap lets a connection be taken over.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// withTimeout applies http.TimeoutHandler to the pages only.
func withTimeout(pages, live http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", http.TimeoutHandler(pages, 5*time.Second, "too slow"))
	mux.Handle("GET /live/{item}", live)
	return mux
}

func newLoggedLive(log *slog.Logger) *websocket.Server {
	app := consumer.New(newViewer, consumer.On(repriced, (*viewer).repriced))
	return websocket.New(router.Use(app, router.Log(log)), &websocket.Options{Logger: log})
}

// run serves a program until ctx is done.
func run(ctx context.Context, addr string, program http.Handler, live *websocket.Server) error {
	srv := &http.Server{Addr: addr, Handler: program, ReadHeaderTimeout: 5 * time.Second}
	return router.Run(ctx, srv, router.New(nil, live), 20*time.Second)
}

// stop shuts down the HTTP server and the WebSocket server.
func stop(ctx context.Context, srv *http.Server, live *websocket.Server) error {
	sockets := make(chan error, 1)
	go func() { sockets <- live.Shutdown(ctx) }()
	return errors.Join(srv.Shutdown(ctx), <-sockets)
}
