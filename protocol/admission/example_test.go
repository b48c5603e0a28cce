package admission_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/admission"
)

// feed is a protocol whose handshakes are plain requests.
type feed struct {
	app  protocol.Application
	gate *admission.Gate
}

func (f *feed) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	client := f.gate.Client(r)
	if refused := f.gate.CheckRequest(r, client); refused != nil {
		refused.ServeHTTP(w, r)
		return
	}
	scope := protocol.NewScope("feed", r).WithRemoteAddr(client.RemoteAddr)
	session := protocol.NewSession(context.Background(), f.app, scope, transport{w, r}, nil)
	conn := session.Conn()
	if refused := f.gate.Enter(conn, client); refused != nil {
		refused.ServeHTTP(w, r)
		return
	}
	defer f.gate.Answered(conn)
	conn.Defer(func() { f.gate.Leave(conn) })
	session.Open()
}

func (f *feed) Shutdown(ctx context.Context) error {
	return f.gate.Shutdown(ctx, admission.ShutdownOptions{})
}

// transport answers the handshake. How messages travel is not shown.
type transport struct {
	w http.ResponseWriter
	r *http.Request
}

func (t transport) Accept(protocol.AcceptOptions) error {
	t.w.WriteHeader(http.StatusNoContent)
	return nil
}
func (t transport) Reject(e *protocol.RejectError)        { e.ServeHTTP(t.w, t.r) }
func (t transport) Send(protocol.Message) error           { return nil }
func (t transport) SendPrepared(*protocol.Prepared) error { return nil }
func (t transport) Close(protocol.CloseStatus)            {}

// A protocol asks the gate before it opens a connection, and tells it when the connection
// is answered and when nothing of it is left.
func ExampleGate() {
	f := &feed{
		app: consumer.ReceiveFunc(func(context.Context, *consumer.Conn, consumer.Message) error { return nil }),
		gate: admission.New(&admission.Options{
			Name:     "feed.Options",
			Origins:  []string{"https://shop.example"}, // beside the server's own host
			Capacity: admission.Capacity{Conns: 1},
			Logger:   slog.New(slog.DiscardHandler),
		}),
	}
	connectFrom := func(origin string) {
		r := httptest.NewRequest(http.MethodGet, "http://example.com/feed", nil)
		r.Header.Set("Origin", origin)
		w := httptest.NewRecorder()
		f.ServeHTTP(w, r)
		fmt.Println(w.Code, http.StatusText(w.Code))
	}
	connectFrom("https://elsewhere.example")
	connectFrom("https://shop.example")
	connectFrom("http://example.com")
	if err := f.Shutdown(context.Background()); err != nil {
		fmt.Println(err)
	}
	connectFrom("http://example.com")
	fmt.Printf("%+v\n", f.gate.Stats())
	// Output:
	// 403 Forbidden
	// 204 No Content
	// 503 Service Unavailable
	// 503 Service Unavailable
	// {Conns:0 Handshakes:0 Addresses:0 Misdirected:0 Forbidden:1 ShuttingDown:1 Full:1 AddressFull:0 RateLimited:0}
}
