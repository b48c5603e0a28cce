package djangoauth_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/examples/django/djangoauth"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket"
	"github.com/wye-go/wye/router"
)

// greet greets the user.
var greet = consumer.Func(func(ctx context.Context, s *consumer.Stream) error {
	user, ok := protocol.UserAs[*djangoauth.User](s.Scope())
	if !ok {
		return consumer.NewCloseError(consumer.CloseUnauthorized, "log in first")
	}
	return s.SendText(ctx, "Hello "+user.Name)
})

// Wye asks the view whoami of a Django on the same machine.
func ExampleNewAsker() {
	asker, err := djangoauth.NewAsker("http://127.0.0.1:8001/whoami/", &djangoauth.AskerOptions{Timeout: time.Second})
	if err != nil {
		log.Fatal(err)
	}
	urls := router.NewURLRouter(router.Path("ws/", greet))
	sockets := websocket.New(router.Use(urls, router.Auth(asker.User)), nil)
	server := http.Server{Addr: "127.0.0.1:8000", Handler: sockets}
	fmt.Println(server.Addr)
	// Output: 127.0.0.1:8000
}

// Wye has Django's SECRET_KEY, and reads signed cookies itself.
func ExampleNewReader() {
	const secretKey = "the SECRET_KEY of Django" // read it from the environment or a file
	reader, err := djangoauth.NewReader(nil, secretKey)
	if err != nil {
		log.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodGet, "/ws/", nil)
	r.AddCookie(&http.Cookie{Name: "sessionid", Value: "forged"})
	user, err := reader.User(r.Context(), protocol.NewScope("websocket", r))
	fmt.Println(user, err)
	// Output: <nil> <nil>
}
