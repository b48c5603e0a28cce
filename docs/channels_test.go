//nolint:gochecknoglobals,errcheck // programs declare their routes once; dropped errors have a comment
package docs_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket"
	"github.com/wye-go/wye/router"
)

// docs/from-channels.md quotes this file word by word.

var (
	lobby  = consumer.New(NewChat, consumer.On(Said, (*Chat).said))
	orders = consumer.JSON(NewOrder(&store), consumer.Groups[*Order]("orders"), consumer.On(Changed, (*Order).changed))
	pages  = consumer.Func(page)
	store  Store
)

var urls = router.NewURLRouter(
	router.Path("ws/chat/<slug:group>/", lobby).Name("chat"),
	router.Path("ws/news/", lobby).With("group", "news"),
	router.RePath(`^ws/(\w+)/page/(\d+)/$`, pages),
	router.Mount("shop/<slug:shop>/", router.NewURLRouter(
		router.Path("orders/<int:order>/", orders).Name("order"),
	)).Name("shop"),
)

func page(ctx context.Context, s *consumer.Stream) error {
	args := s.Scope().Args()
	return s.SendText(ctx, "page "+args[1]+" of "+args[0])
}

type Order struct {
	consumer.Base
	store *Store
	user  *User
	id    int64
}

type Change struct {
	Order  int64  `json:"order"`
	Status string `json:"status"`
}

var Changed = consumer.EventType[Change]{Name: "order.changed"}

func NewOrder(store *Store) func(*consumer.Scope) *Order {
	return func(s *consumer.Scope) *Order {
		user, _ := protocol.UserAs[*User](s)
		id, _ := protocol.ParamAs[int64](s, "order") // the route matches integers only
		return &Order{store: store, user: user, id: id}
	}
}

func (o *Order) Connect(context.Context, *consumer.Conn) error {
	if o.user == nil || !o.user.Staff {
		return consumer.NewRejectError(http.StatusForbidden, "staff only")
	}
	return nil
}

func (o *Order) ReceiveJSON(ctx context.Context, c *consumer.Conn, in Change) error {
	if in.Order != o.id {
		return consumer.NewCloseError(4004, "another order")
	}
	o.store.Set(in.Order, in.Status)
	return c.GroupSend(ctx, "orders", Changed.New(in))
}

func (o *Order) changed(ctx context.Context, c *consumer.Conn, e Change) error {
	return c.SendJSON(ctx, e)
}

// Store has the status of orders. It has a lock, because consumers of several connections
// use it at the same time.
type Store struct {
	mu     sync.Mutex
	status map[int64]string
}

// Set changes the status of an order.
func (s *Store) Set(order int64, status string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.status == nil {
		s.status = map[int64]string{}
	}
	s.status[order] = status
}

type User struct {
	Name  string `json:"name"`
	Staff bool   `json:"staff"`
}

// BesideDjango serves WebSocket connections, and passes all other requests to Django.
func BesideDjango(django *url.URL, sockets consumer.Application) *router.ProtocolTypeRouter {
	pages := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(django)
		r.SetXForwarded()
		r.Out.Host = r.In.Host // for ALLOWED_HOSTS and CSRF
	}}
	return router.New(pages, websocket.New(sockets, nil))
}

type Picture struct {
	ID int `json:"id"`
}

var Resize = consumer.EventType[Picture]{Name: "thumbnails.resize"}

// Thumbnails is the consumer of a worker. The worker makes one for each event.
type Thumbnails struct{ consumer.Base }

func (*Thumbnails) resize(ctx context.Context, c *consumer.Conn, p Picture) error {
	// ... make the thumbnail, then notify the pages that show it
	return c.GroupSend(ctx, "orders", Changed.New(Change{Order: int64(p.ID), Status: "resized"}))
}

func NewThumbnails(*consumer.Scope) *Thumbnails { return &Thumbnails{} }

var worker = layers.Worker{
	Puller: layers.Default(),
	App: router.NewChannelNameRouter(map[string]consumer.Application{
		"thumbnails": consumer.New(NewThumbnails, consumer.On(Resize, (*Thumbnails).resize)),
	}),
}

// Upload is a plain HTTP handler that sends work to the worker.
func Upload(w http.ResponseWriter, r *http.Request) {
	err := layers.Default().Send(r.Context(), "thumbnails", Resize.New(Picture{ID: 7}))
	if errors.Is(err, layers.ErrChannelFull) {
		http.Error(w, "try again later", http.StatusServiceUnavailable)
		return
	}
	w.WriteHeader(http.StatusAccepted)
}
