package router_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/router"
)

// A path with typed parameters. A path whose parameters do not match is not found.
func ExamplePath() {
	urls := router.NewURLRouter(
		router.Path("ws/<slug:group>/<int:page>/", consumer.Func(func(ctx context.Context, s *consumer.Stream) error {
			page, err := protocol.ParamAs[int](s.Scope(), "page")
			if err != nil {
				return err
			}
			return s.SendText(ctx, fmt.Sprint("page before ", page+1, " of ", s.Scope().Param("group")))
		})),
	)

	fmt.Println(connect(urls, "/ws/lobby/7/"))
	fmt.Println(connect(urls, "/ws/lobby/seven/"))
	// Output:
	// page before 8 of lobby
	// 404: nothing is served at "/ws/lobby/seven/"
}

// A type of parameter that the program defines.
func ExampleConverters() {
	types := router.Converters{"ip": {Expr: `[0-9a-f.:]+`, Check: func(text string) error {
		_, err := netip.ParseAddr(text)
		return err
	}}}
	urls := router.NewURLRouter(
		types.Path("hosts/<ip:group>/", greet()),
	)

	fmt.Println(connect(urls, "/hosts/192.0.2.1/"))
	fmt.Println(connect(urls, "/hosts/300.0.2.1/"))
	// Output:
	// welcome to 192.0.2.1
	// 404: nothing is served at "/hosts/300.0.2.1/"
}

// One application serves two routes.
func ExampleRoute_With() {
	urls := router.NewURLRouter(
		router.Path("ws/welcome/", greet()).With("group", "lobby"),
		router.Path("ws/<slug:group>/", greet()),
	)

	fmt.Println(connect(urls, "/ws/welcome/"))
	// Output: welcome to lobby
}

// URLFor returns the path of a route by its name, so that pages need not contain paths.
func ExampleURLRouter_URLFor() {
	rooms := router.NewURLRouter(
		router.Path("<str:group>/", greet()).Name("room"),
	)
	urls := router.NewURLRouter(
		router.Mount("ws/<slug:shop>/", rooms).Name("shop"),
	)

	fmt.Println(urls.URLFor("shop:room", map[string]string{"shop": "tea", "group": "green & black"}))
	fmt.Println(urls.URLFor("shop:room", map[string]string{"shop": "tea"}))
	// Output:
	// /ws/tea/green%20&%20black/ <nil>
	//  wye: router.URLFor: "shop:room": the parameter "group" is missing
}

// A route that can never be reached panics when the program starts.
func ExampleNewURLRouter() {
	defer func() { fmt.Println(recover() != nil) }()
	router.NewURLRouter(
		router.Path("ws/<slug:group>/", greet()),
		router.Path("ws/news/", news()), // goes to the group "news"
	)
	// Output: true
}

// Auth authenticates a connection by its session cookie, before the handshake is answered.
func ExampleAuth() {
	type user struct{ Name string }
	sessions := map[string]*user{"secret": {Name: "Ann"}}

	hello := consumer.Func(func(ctx context.Context, s *consumer.Stream) error {
		u, _ := protocol.UserAs[*user](s.Scope())
		return s.SendText(ctx, "hello "+u.Name)
	})
	login := router.Auth(func(_ context.Context, s *protocol.Scope) (*user, error) {
		c, err := s.Request().Cookie("session")
		if err != nil {
			return nil, router.ErrUnauthenticated
		}
		u, ok := sessions[c.Value]
		if !ok {
			return nil, router.ErrUnauthenticated
		}
		return u, nil
	})
	urls := router.NewURLRouter(
		router.Path("ws/", router.Use(hello, login)),
	)

	r := httptest.NewRequest(http.MethodGet, "/ws/", nil)
	r.AddCookie(&http.Cookie{Name: "session", Value: "secret"})
	fmt.Println(connectRequest(urls, r))
	fmt.Println(connect(urls, "/ws/"))
	// Output:
	// hello Ann
	// 401: log in first
}

// A worker takes events from the channels of its router.
func ExampleNewChannelNameRouter() {
	channels := router.NewChannelNameRouter(map[string]protocol.Application{
		"thumbnails": greet(),
		"mail":       news(),
	})

	// In a program: router.Background(&layers.Worker{Puller: layer, App: channels})
	fmt.Println(channels.Names())
	// Output: [mail thumbnails]
}
