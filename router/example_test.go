package router_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing/fstest"
	"time"

	"github.com/wye-go/wye/protocol/websocket"
	"github.com/wye-go/wye/router"
)

// One handler serves pages and WebSocket connections.
func ExampleNew() {
	mux := http.NewServeMux()
	mux.Handle("/", http.FileServerFS(fstest.MapFS{"index.html": {Data: []byte("a page")}}))
	r := router.New(mux, websocket.New(router.NewURLRouter(
		router.RePath(`^ws/(?P<group>\w+)/$`, greet()),
	), nil))

	// In a program: http.ListenAndServe(":8000", r)
	srv := httptest.NewServer(r)
	defer srv.Close()
	fmt.Println(get(srv.URL + "/"))
	fmt.Println(dialed(srv.URL + "/ws/lobby/"))
	// Output:
	// a page
	// welcome to lobby
}

// Routes are tried in order. Named groups become parameters of the scope.
func ExampleRePath() {
	urls := router.NewURLRouter(
		router.RePath(`^ws/news/$`, news()),
		router.RePath(`^ws/(?P<group>\w+)/$`, greet()),
	)

	fmt.Println(connect(urls, "/ws/news/"))
	fmt.Println(connect(urls, "/ws/lobby/"))
	fmt.Println(connect(urls, "/ws/lobby"))
	// Output:
	// here is the news
	// welcome to lobby
	// 404: nothing is served at "/ws/lobby"; did you mean the same with a slash at the end?
}

// A mounted router serves the paths that begin with admin/. Those that it does not know go
// to the next route.
func ExampleMount() {
	admin := router.NewURLRouter(
		router.RePath(`^news/$`, news()),
	)
	urls := router.NewURLRouter(
		router.Mount("admin/", admin),
		router.RePath(`^(?P<group>[\w/]+)/$`, greet()),
	)

	fmt.Println(connect(urls, "/admin/news/"))
	fmt.Println(connect(urls, "/admin/lobby/"))
	// Output:
	// here is the news
	// welcome to admin/lobby
}

// Run serves until its context is done. Then it accepts no new connections, closes the open
// ones with code 1001, and waits for plain requests that are running.
func ExampleRun() {
	r := router.New(nil, websocket.Handler(greet()))

	// In a program: signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	ctx, stop := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer stop()
	srv := &http.Server{Addr: "127.0.0.1:0", ReadHeaderTimeout: 10 * time.Second}
	err := router.Run(ctx, srv, r, 10*time.Second)
	fmt.Println("Run returned", err)
	// Output: Run returned <nil>
}
