package main

import (
	"context"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/examples/django/djangoauth"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/layers/redis"
	"github.com/wye-go/wye/protocol/websocket"
	"github.com/wye-go/wye/router"
)

// authenticate returns Django's user of a handshake, or nil for an anonymous one.
type authenticate = func(ctx context.Context, s *consumer.Scope) (*djangoauth.User, error)

// openLayer returns the layer that Wye shares with Django.
func openLayer(ctx context.Context, redisURL string) (*layers.Layer, error) {
	return layers.Open(ctx, redis.New(redis.Options{URLs: []string{redisURL}}))
}

func closeLayer(layer *layers.Layer) error {
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	return layer.Close(ctx)
}

// newFront returns the handler of the program. Wye serves the routes that have moved to it;
// Django serves everything else, its pages and the WebSocket routes of Channels. To move one
// more route, add it to the URLRouter.
func newFront(django *url.URL, layer *layers.Layer, auth authenticate) *router.ProtocolTypeRouter {
	urls := router.NewURLRouter(
		router.Path("ws/chat/lobby/", consumer.JSON(newRoom,
			consumer.On(said, (*room).said), consumer.On(layers.Down, (*room).down), consumer.On(layers.Gap, (*room).gap))),
	)
	app := router.Use(urls, router.Auth(auth), layers.Middleware(layer))
	return router.New(toDjango(django), websocket.New(app, &websocket.Options{
		Hosts:        []string{"127.0.0.1", "localhost"}, // as ALLOWED_HOSTS
		PassUnrouted: true,                               // to Django
	}))
}

// toDjango returns a handler that passes requests to Django, handshakes included.
func toDjango(django *url.URL) http.Handler {
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(django)
			r.SetXForwarded()
			r.Out.Host = r.In.Host // for ALLOWED_HOSTS, and the checks of CSRF and origins
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			log.Print("django: passing a request on: ", err)
			http.Error(w, "Django cannot be reached; try again later", http.StatusBadGateway)
		},
	}
}
