package router_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/internal/scopes"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/router"
)

// A path with typed parameters. What does not fit is not found.
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

// A program's own type of parameter.
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

// Pages need not know where the sockets are.
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

// What can never be reached is a mistake, and found when the program starts.
func ExampleNewURLRouter() {
	defer func() { fmt.Println(recover() != nil) }()
	router.NewURLRouter(
		router.Path("ws/<slug:group>/", greet()),
		router.Path("ws/news/", news()), // goes to the group "news"
	)
	// Output: true
}

// Who connects is found out before the handshake is answered.
func ExampleAuth() {
	type user struct{ Name string }
	sessions := map[string]*user{"secret": {Name: "Ann"}}

	hello := consumer.Func(func(ctx context.Context, s *consumer.Stream) error {
		u, _ := protocol.UserAs[*user](s.Scope())
		return s.SendText(ctx, "hello "+u.Name)
	})
	login := router.Auth(func(_ context.Context, s *protocol.Scope) (*user, error) {
		u, ok := sessions[s.Query().Get("session")]
		if !ok {
			return nil, router.ErrUnauthenticated
		}
		return u, nil
	})
	urls := router.NewURLRouter(
		router.Path("ws/", router.Use(hello, login)),
	)

	fmt.Println(connect(urls, "/ws/?session=secret"))
	fmt.Println(connect(urls, "/ws/"))
	// Output:
	// hello Ann
	// 401: log in first
}

// Workers find the application for their channel by its name.
func ExampleNewChannelNameRouter() {
	channels := router.NewChannelNameRouter(map[string]protocol.Application{
		"thumbnails": greet(),
		"mail":       news(),
	})

	_, err := channels.Open(scopes.ForChannel(context.Background(), "letters"))
	fmt.Println(errors.Is(err, protocol.ErrNoRoute), err)
	// Output: true wye: no route for the channel "letters"; known channels: mail, thumbnails
}
