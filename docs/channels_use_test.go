package docs_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"testing/synctest"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/consumer/consumertest"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket/websockettest"
	"github.com/wye-go/wye/router"
)

// TestChat is quoted in docs/from-channels.md.
func TestChat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ann := consumertest.Connect(t, urls, "/ws/chat/tea/", nil)
		bob := consumertest.Connect(t, urls, "/ws/chat/tea/", nil)
		ann.SendText("hello")
		bob.WantText("hello")
		ann.WantText("hello")
		bob.WantNothing()
		ann.Close(consumer.CloseNormal, "")
		ann.WantOver()
	})
}

// TestRoutes connects to the other routes of docs/from-channels.md.
func TestRoutes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := consumertest.Connect(t, urls, "/ws/tea/page/7/", nil)
		p.WantText("page 7 of tea")
		reader := consumertest.Connect(t, urls, "/ws/news/", nil)
		reader.SendText("rain")
		reader.WantText("rain")
		if got := consumertest.Refused(t, urls, "/ws/tea/page/x/", nil); got.Status != http.StatusNotFound {
			t.Errorf("a path without a route: %v, want 404", got)
		}
	})
	for name, row := range map[string]struct {
		params map[string]string
		want   string
	}{
		"chat":       {map[string]string{"group": "tea"}, "/ws/chat/tea/"},
		"shop:order": {map[string]string{"shop": "tea", "order": "7"}, "/shop/tea/orders/7/"},
	} {
		if got, err := urls.URLFor(name, row.params); got != row.want || err != nil {
			t.Errorf("URLFor(%q): %q, %v; want %q", name, got, err, row.want)
		}
	}
}

// member passes a group's events to a channel.
type member chan *protocol.Event

func (m member) Deliver(e *protocol.Event) bool { m <- e; return false }
func (member) Offer(*protocol.Prepared) bool    { return false }

// TestWorker follows a picture of docs/from-channels.md from the upload to the event that
// says that it is done.
func TestWorker(t *testing.T) {
	told, ended := make(member, 1), make(chan error)
	if err := layers.Default().Join(t.Context(), "orders", told); err != nil {
		t.Fatal(err)
	}
	defer layers.Default().Leave("orders", told)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	go func() { ended <- worker.Run(ctx) }()
	answer := httptest.NewRecorder()
	Upload(answer, httptest.NewRequestWithContext(ctx, http.MethodPost, "/upload/", nil))
	if c, err := Changed.Payload(<-told); err != nil || c != (Change{Order: 7, Status: "resized"}) || answer.Code != http.StatusAccepted {
		t.Errorf("answered %d, and told %+v (%v)", answer.Code, c, err)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	for range 101 {
		answer = httptest.NewRecorder()
		Upload(answer, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/upload/", nil))
	}
	if answer.Code != http.StatusServiceUnavailable {
		t.Errorf("upload 101 without a worker: answered %d, want 503", answer.Code)
	}
	for range 100 { // the layer is that of the process
		if _, err := layers.Default().Pull(t.Context(), "thumbnails"); err != nil {
			t.Fatal(err)
		}
	}
}

// django is a stand-in for Django. The tests of examples/django run Django.
func django(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "a page of "+r.Host) }

// bySession is a stand-in for examples/django/djangoauth.
func bySession(_ context.Context, s *consumer.Scope) (*User, error) {
	session, err := s.Request().Cookie("sessionid")
	if err != nil {
		return nil, router.ErrUnauthenticated
	}
	switch session.Value {
	case "ann":
		return &User{Name: "Ann", Staff: true}, nil
	case "bob":
		return &User{Name: "Bob"}, nil
	case "fault":
		return nil, errors.New("Django is down")
	}
	return nil, router.ErrUnauthenticated
}

// TestBesideDjango runs the whole program of docs/from-channels.md on sockets.
func TestBesideDjango(t *testing.T) {
	t.Parallel()
	behind := httptest.NewServer(http.HandlerFunc(django))
	defer behind.Close()
	defer http.DefaultClient.CloseIdleConnections()
	u, err := url.Parse(behind.URL)
	if err != nil {
		t.Fatal(err)
	}
	front := httptest.NewServer(BesideDjango(u, router.Use(urls, router.Auth(bySession))))
	defer front.Close()
	host := front.Listener.Addr().String()

	answer, err := http.Get(front.URL + "/admin/")
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(answer.Body)
	answer.Body.Close()
	if want := "a page of " + host; err != nil || string(body) != want {
		t.Errorf("Django's page is %q, %v; want %q", body, err, want)
	}

	order := "ws://" + host + "/shop/tea/orders/7/"
	of := func(session string) http.Header { return http.Header{"Cookie": {"sessionid=" + session}} }
	for session, want := range map[string]int{"": 401, "who": 401, "bob": 403, "fault": 500} {
		if a := websockettest.Refused(t, order, of(session)); a.Status != want {
			t.Errorf("session %q: status %d, want %d", session, a.Status, want)
		}
	}
	if a := websockettest.Refused(t, order, nil); a.Status != http.StatusUnauthorized {
		t.Errorf("no session: status %d, want 401", a.Status)
	}
	ann := websockettest.Dial(t, order, of("ann"))
	ann.SendText(`{"order": 7, "status": "sent"}`)
	ann.WantText(`{"order":7,"status":"sent"}`)
	ann.SendText(`{"order": 8, "status": "sent"}`)
	if reason := ann.WantClosed(4004); reason != "another order" {
		t.Errorf("closed with %q", reason)
	}
	store.mu.Lock()
	defer store.mu.Unlock()
	if store.status[7] != "sent" || len(store.status) != 1 {
		t.Errorf("the store has %v", store.status)
	}
}
