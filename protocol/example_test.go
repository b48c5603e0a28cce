package protocol_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"time"

	"github.com/wye-go/wye/protocol"
)

// A middleware of package protocol: it looks at the scope, and refuses or goes
// on with a changed one.
func ExampleMiddleware() {
	known := func(next protocol.Application) protocol.Application {
		return protocol.ApplicationFunc(func(s *protocol.Scope) (protocol.Handler, error) {
			user := s.Query().Get("user")
			if user == "" {
				return nil, protocol.NewRejectError(http.StatusUnauthorized, "say who you are: ?user=Ann")
			}
			return next.Open(s.WithUser(user))
		})
	}

	app := known(protocol.ApplicationFunc(func(s *protocol.Scope) (protocol.Handler, error) {
		fmt.Println("hello", s.User())
		return nil, protocol.ErrNoRoute
	}))
	for _, target := range []string{"/ws/?user=Ann", "/ws/"} {
		_, err := app.Open(protocol.NewScope("websocket", httptest.NewRequest(http.MethodGet, target, nil)))
		fmt.Println(err)
	}
	// Output:
	// hello Ann
	// wye: no route
	// wye: connection refused with 401: say who you are: ?user=Ann
}

// A refusal for a while: peers that obey it do not come back together.
func ExampleRejectError_RetryAfter() {
	busy := protocol.ApplicationFunc(func(*protocol.Scope) (protocol.Handler, error) {
		return nil, protocol.NewRejectError(http.StatusServiceUnavailable, "the game is full").RetryAfter(10 * time.Second)
	})

	r := httptest.NewRequest(http.MethodGet, "/game", nil)
	_, err := busy.Open(protocol.NewScope("websocket", r))
	answer := httptest.NewRecorder()
	protocol.AsRejectError(err).ServeHTTP(answer, r) // as protocols do
	after, err := strconv.Atoi(answer.Header().Get("Retry-After"))
	fmt.Println(answer.Code, strings.TrimSpace(answer.Body.String()), after >= 10 && after <= 20, err)
	// Output: 503 the game is full true <nil>
}

// An event type is declared once, and ties a name to the Go type of a payload.
func ExampleEventType() {
	type line struct {
		From string `json:"from"`
		Text string `json:"text"`
	}
	said := protocol.EventType[line]{Name: "chat.message"}

	e := said.New(line{From: "Ann", Text: "hello"}) // the sender's side
	l, err := said.Payload(e)                       // the receiver's
	fmt.Println(e.Type(), l.From, l.Text, err)
	// Output: chat.message Ann hello <nil>
}

// What a callback returns decides how the connection goes on.
func ExampleCloseStatusOf() {
	for _, err := range []error{
		nil,
		protocol.NewCloseError(4001, "your turn is over"),
		fmt.Errorf("reading the score: %w", http.ErrServerClosed),
	} {
		s := protocol.CloseStatusOf(err)
		fmt.Printf("%v %q\n", s.Code, s.Reason)
	}
	// Output:
	// 1000 normal closure ""
	// 4001 "your turn is over"
	// 1011 internal error ""
}

// printer is the smallest transport there is: it prints what a peer would see.
type printer struct{}

func (printer) Accept(protocol.AcceptOptions) error       { fmt.Println("accepted"); return nil }
func (printer) Reject(e *protocol.RejectError)            { fmt.Println("refused:", e.Status, e.Body) }
func (printer) Send(m protocol.Message) error             { fmt.Println("sent:", m.Text()); return nil }
func (p printer) SendPrepared(m *protocol.Prepared) error { return p.Send(m.Message()) }
func (printer) Close(s protocol.CloseStatus)              { fmt.Println("closed:", s.Code, s.Reason) }

// Whoever teaches Wye another protocol writes a Transport, and tells its Session
// what the peer does.
func ExampleSession() {
	echo := protocol.ApplicationFunc(func(*protocol.Scope) (protocol.Handler, error) { return echoes{}, nil })
	scope := protocol.NewScope("print", httptest.NewRequest(http.MethodGet, "/", nil))
	s := protocol.NewSession(scope.Context(), echo, scope, printer{}, &protocol.SessionOptions{Logger: slog.Default()})

	over := make(chan struct{})
	s.Conn().Defer(func() { close(over) })
	if s.Open() {
		s.Receive(protocol.Text("hello"))
		s.Ended(protocol.CloseStatus{Code: protocol.CloseGoingAway, Remote: true})
	}
	<-over
	// Output:
	// accepted
	// sent: hello
	// gone: 1001 going away
}
