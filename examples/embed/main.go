// Embed is a program that was there before Wye: a net/http server with its own
// mux, a login middleware and a page. It gains one socket, GET /live/{item}, and
// loses nothing. What is new is in live.go and marked here.
package main

import (
	"context"
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

func (s *shop) setPrice(item, price string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.prices[item] = price
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
	name, _ := ctx.Value(userKey{}).(string)
	return name
}

func (s *shop) showItem(w http.ResponseWriter, r *http.Request) {
	item := r.PathValue("item")
	fmt.Fprintf(w, "Hello %s, %s costs %s\n",
		html.EscapeString(userOf(r.Context())), html.EscapeString(item), html.EscapeString(s.price(item)))
}

func (s *shop) changePrice(w http.ResponseWriter, r *http.Request) {
	item, price := r.PathValue("item"), r.FormValue("price")
	s.setPrice(item, price)
	if err := announce(r.Context(), item, price); err != nil { // new
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
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
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	handler, l := routes()
	srv := &http.Server{Addr: *addr, Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		<-ctx.Done()
		end, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := l.Shutdown(end); err != nil { // new: http.Server.Shutdown does not know upgraded connections
			log.Print(err)
		}
		if err := srv.Shutdown(end); err != nil {
			log.Print(err)
		}
	}()
	log.Printf("try: curl -b user=Ann http://%s/items/tea", *addr)
	if err := srv.ListenAndServe(); err != http.ErrServerClosed {
		log.Fatal(err)
	}
}
