// Embed is a program that was there before Wye: a net/http server with its own
// mux, a login middleware and a page. It gains one socket, GET /live/{item}, and
// loses nothing. What is new is in live.go and marked here.
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

	"github.com/wye-go/wye/protocol/websocket"
)

// shop is the program's data.
type shop struct {
	mu     sync.Mutex
	prices map[string]string
}

func (s *shop) price(item string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.prices[item]
}

// setPrice changes a price and tells about it, in one step, so that what is told
// last is what it is.
func (s *shop) setPrice(ctx context.Context, item, price string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.prices[item] = price
	return announce(ctx, item, price) // new
}

type userKey struct{}

// login lets in who has a cookie, and puts the name into the request's context.
func login(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := r.Cookie("user")
		if err != nil {
			http.Error(w, "log in first", http.StatusUnauthorized)
			return
		}
		w.Header().Set("Vary", "Cookie")
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), userKey{}, c.Value)))
	})
}

func userOf(ctx context.Context) string {
	if name, ok := ctx.Value(userKey{}).(string); ok {
		return name
	}
	return ""
}

func (s *shop) showItem(w http.ResponseWriter, r *http.Request) {
	item := r.PathValue("item")
	fmt.Fprintf(w, "Hello %s, %s costs %s\n",
		html.EscapeString(userOf(r.Context())), html.EscapeString(item), html.EscapeString(s.price(item)))
}

func (s *shop) changePrice(w http.ResponseWriter, r *http.Request) {
	ctx := context.WithoutCancel(r.Context()) // a price changes also if nobody waits for the answer
	if err := s.setPrice(ctx, r.PathValue("item"), r.FormValue("price")); err != nil {
		log.Print(err)
	}
	w.WriteHeader(http.StatusNoContent)
}

// routes returns the program's handler, and what has to be shut down.
func routes() (http.Handler, *websocket.Server) {
	s := &shop{prices: map[string]string{"tea": "3.00", "cake": "4.50"}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /items/{item}", s.showItem)
	mux.HandleFunc("POST /items/{item}", s.changePrice)
	l := newLive(s)
	mux.Handle("GET /live/{item}", l) // new
	return login(mux), l
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
	handler, l := routes()
	srv := &http.Server{Addr: addr, Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- srv.ListenAndServe() }()
	log.Printf("try: curl -b user=Ann http://%s/items/tea", addr)
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	end, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	err := l.Shutdown(end) // new: http.Server.Shutdown does not know upgraded connections
	return errors.Join(err, srv.Shutdown(end))
}
