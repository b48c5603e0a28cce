// Embed is a program that existed before Wye: a shop with chi as its router and
// sessions of scs. It gets WebSocket connections and keeps everything else: a browser
// that opens the URL of an item gets the page as before, and a WebSocket connection to
// the same URL receives each change of the price. The new code is in live.go, and
// marked "new" here.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"html"
	"log"
	"net/http"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/protocol/websocket"
	"github.com/wye-go/wye/router"
)

// shop is the program's data.
type shop struct {
	sessions *scs.SessionManager

	mu     sync.Mutex
	prices map[string]string
}

func newShop() *shop {
	s := &shop{sessions: scs.New(), prices: map[string]string{"tea": "3.00", "cake": "4.50"}}
	s.sessions.Lifetime = 12 * time.Hour // with TLS also s.sessions.Cookie.Secure = true
	return s
}

func (s *shop) price(item string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.prices[item]
}

// setPrice changes a price and announces it while it holds the lock, so that the last
// announcement is the current price.
func (s *shop) setPrice(ctx context.Context, item, price string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.prices[item] = price
	return announce(ctx, item, price) // new
}

func (s *shop) showItem(w http.ResponseWriter, r *http.Request) {
	item := r.PathValue("item")
	fmt.Fprintf(w, "Hello %s, %s costs %s\n",
		html.EscapeString(s.user(r.Context())), html.EscapeString(item), html.EscapeString(s.price(item)))
}

func (s *shop) changePrice(w http.ResponseWriter, r *http.Request) {
	ctx := context.WithoutCancel(r.Context()) // the price changes even if the client has disconnected
	if err := s.setPrice(ctx, r.PathValue("item"), r.FormValue("price")); err != nil {
		log.Print(err)
	}
	w.WriteHeader(http.StatusNoContent)
}

// routes returns the program's handler, and the WebSocket servers to shut down.
func routes(s *shop) (chi.Router, sockets) {
	live := websocket.Handler(viewers(s))               // new
	clock := websocket.Handler(consumer.Func(tellTime)) // new

	r := chi.NewRouter()
	r.Use(middleware.RequestID, middleware.Logger, middleware.Recoverer, decoded, s.sessions.LoadAndSave)
	r.Post("/login", s.login)
	r.Post("/logout", s.logout)
	r.Method(http.MethodGet, "/time", clock) // new
	r.Group(func(r chi.Router) {
		r.Use(s.loggedIn)
		// This was r.Get("/items/{item}", s.showItem) before.
		r.Method(http.MethodGet, "/items/{item}", router.New(http.HandlerFunc(s.showItem), live)) // new
		r.Post("/items/{item}", s.changePrice)
	})
	return r, sockets{live, clock}
}

// decoded lets chi match the decoded path of net/http, instead of the path as the
// client has encoded it.
func decoded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		chi.RouteContext(r.Context()).RoutePath = r.URL.Path
		next.ServeHTTP(w, r)
	})
}

func main() {
	addr := flag.String("addr", "127.0.0.1:8000", "where to listen")
	flag.Parse()
	if err := run(*addr); err != nil {
		log.Fatal(err)
	}
}

func run(addr string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	handler, sockets := routes(newShop())
	srv := &http.Server{Addr: addr, Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- srv.ListenAndServe() }()
	log.Printf("try: curl -c jar -d name=Ann http://%s/login && curl -b jar http://%[1]s/items/tea", addr)
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	end, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	over := make(chan error, 1)                                      // new
	srv.RegisterOnShutdown(func() { over <- sockets.shutdown(end) }) // new: srv does not close upgraded connections
	return errors.Join(srv.Shutdown(end), <-over)
}
