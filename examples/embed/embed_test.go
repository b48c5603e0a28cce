package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/protocol/websocket/websockettest"
	"github.com/wye-go/wye/router"
)

// TestAsBefore checks what the program did before it had sockets.
func TestAsBefore(t *testing.T) {
	t.Parallel()
	shop := open(t)
	ann := shop.login("Ann", nil)
	a := shop.want(http.MethodGet, "/items/tea", ann, http.StatusOK, "Hello Ann, tea costs 3.00\n")
	if got := a.Header.Values("Vary"); len(got) != 1 || got[0] != "Cookie" {
		t.Errorf("Vary: got %q, want Cookie", got)
	}
	shop.want(http.MethodGet, "/items/cake", shop.login("<Ann>", nil), http.StatusOK, "Hello &lt;Ann&gt;, cake costs 4.50\n")
	shop.want(http.MethodGet, "/", ann, http.StatusNotFound, "404 page not found\n")
	for _, path := range []string{"/items/tea", "/time", "/login", "/logout"} {
		shop.want(http.MethodDelete, path, ann, http.StatusMethodNotAllowed, "")
	}

	shop.setPrice("milk", "1.20")
	shop.want(http.MethodGet, "/items/milk", ann, http.StatusOK, "Hello Ann, milk costs 1.20\n")
}

// TestAnyName: an item may have any name, in the encodings of browsers and of other
// programs.
func TestAnyName(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("very-", 20) + "long"
	for _, row := range []struct {
		at             string
		item, path, on string
	}{
		{here(), "green tea", "green%20tea", "green tea"},
		{here(), "crème brûlée", "cr%C3%A8me%20br%C3%BBl%C3%A9e", "crème brûlée"},
		{here(), "crème fraîche", "cr%c3%a8me%20fra%c3%aeche", "crème fraîche"},
		{here(), "it's me!", "it's%20me!", "it&#39;s me!"},
		{here(), "100% juice", "100%25%20juice", "100% juice"},
		{here(), long, long, long},
	} {
		t.Run(row.item, func(t *testing.T) {
			t.Parallel()
			t.Log(row.at)
			shop := open(t)
			ann := shop.login("Ann", nil)
			shop.setPrice(row.item, "5.00")
			shop.want(http.MethodGet, "/items/"+row.path, ann, http.StatusOK, "Hello Ann, "+row.on+" costs 5.00\n")
			c := shop.view(row.path, ann)
			wantPrice(t, c, row.item, "5.00", "Ann")
			shop.setPrice(row.item, "5.50")
			wantPrice(t, c, row.item, "5.50", "Ann")
			c.Close(consumer.CloseNormal, "")
		})
	}
}

// TestOneURL: one URL has a page, a form and a WebSocket connection.
func TestOneURL(t *testing.T) {
	t.Parallel()
	shop := open(t)
	const path = "/items/honey"
	ann := shop.login("Ann", nil)
	shop.want(http.MethodGet, path, ann, http.StatusOK, "Hello Ann, honey costs \n")
	socket := shop.view("honey", ann)
	wantPrice(t, socket, "honey", "", "Ann")
	if a := shop.post(path, ann, "price=7.00"); a.Status != http.StatusNoContent {
		t.Errorf("POST: got %d %q, want 204", a.Status, a.Body)
	}
	wantPrice(t, socket, "honey", "7.00", "Ann")
	shop.want(http.MethodGet, path, ann, http.StatusOK, "Hello Ann, honey costs 7.00\n")

	// A request for another protocol gets the page; a malformed WebSocket handshake is
	// refused.
	shop.want(http.MethodGet, path, with(ann, "Connection", "Upgrade", "Upgrade", "h2c"), http.StatusOK, "Hello Ann, honey costs 7.00\n")
	shop.want(http.MethodGet, path, with(ann, "Connection", "Upgrade", "Upgrade", "websocket"), http.StatusUpgradeRequired,
		"WebSocket version 13 is spoken here\n")
	socket.Close(consumer.CloseNormal, "")
}

func TestLive(t *testing.T) {
	t.Parallel()
	shop := open(t)
	ann, bob := shop.view("tea", shop.login("Ann", nil)), shop.view("tea", shop.login("Bob", nil))
	eve := shop.view("cake", shop.login("Eve", nil))
	// The name is the one in the session.
	wantPrice(t, ann, "tea", "3.00", "Ann")
	wantPrice(t, bob, "tea", "3.00", "Bob")
	wantPrice(t, eve, "cake", "4.50", "Eve")
	if got := ann.Answer.Header.Values("Vary"); len(got) != 1 || got[0] != "Cookie" {
		t.Errorf("the answer to the handshake has Vary %q, want the middleware's Cookie", got)
	}

	for _, now := range []string{"3.10", "3.20"} {
		shop.setPrice("tea", now)
		wantPrice(t, ann, "tea", now, "Ann")
		wantPrice(t, bob, "tea", now, "Bob")
	}
	late := shop.view("tea", shop.login("Late", nil))
	wantPrice(t, late, "tea", "3.20", "Late")
	bob.Close(consumer.CloseNormal, "")
	shop.setPrice("tea", "3.30")
	wantPrice(t, ann, "tea", "3.30", "Ann")
	wantPrice(t, late, "tea", "3.30", "Late")
	shop.setPrice("cake", "4.60")
	wantPrice(t, eve, "cake", "4.60", "Eve") // and nothing about tea before it
	shop.setPrice("tea", "3.40")
	wantPrice(t, ann, "tea", "3.40", "Ann") // and nothing about cake before it
	wantPrice(t, late, "tea", "3.40", "Late")
	for _, c := range []*websockettest.Client{ann, eve, late} {
		c.Close(consumer.CloseNormal, "")
	}
}

// TestHangUp: a price changes even if the client does not wait for the answer.
func TestHangUp(t *testing.T) {
	t.Parallel()
	shop := open(t)
	cookie := shop.login("Ann", nil)
	ann := shop.view("sugar", cookie)
	wantPrice(t, ann, "sugar", "", "Ann")
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	r := httptest.NewRequestWithContext(gone, http.MethodPost, "/items/sugar?price=0.90", nil)
	r.Header = shop.login("Hasty", nil)
	shop.handler.ServeHTTP(httptest.NewRecorder(), r)
	shop.want(http.MethodGet, "/items/sugar", cookie, http.StatusOK, "Hello Ann, sugar costs 0.90\n")
	wantPrice(t, ann, "sugar", "0.90", "Ann")
	ann.Close(consumer.CloseNormal, "")
}

// TestAtOnce: after concurrent changes of a price, the last message to the viewers has
// the current price.
func TestAtOnce(t *testing.T) {
	t.Parallel()
	shop := open(t)
	cookie := shop.login("Ann", nil)
	ann := shop.view("salt", cookie)
	wantPrice(t, ann, "salt", "", "Ann")
	const changes = 4
	for range 200 {
		var all sync.WaitGroup
		for i := range changes {
			all.Go(func() {
				r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/items/salt?price="+strconv.Itoa(i), nil)
				r.Header = cookie
				shop.handler.ServeHTTP(httptest.NewRecorder(), r)
			})
		}
		all.Wait()
		var told price
		for range changes {
			if err := json.Unmarshal([]byte(ann.Text()), &told); err != nil {
				t.Fatal(err)
			}
		}
		want := "Hello Ann, salt costs " + told.Price + "\n"
		if got := shop.do(http.MethodGet, "/items/salt", cookie, "").Body; got != want {
			t.Fatalf("after %d changes at once a viewer was told %s last, and the page says %q", changes, told.Price, got)
		}
	}
	ann.Close(consumer.CloseNormal, "")
}

func TestRefused(t *testing.T) {
	t.Parallel()
	shop := open(t)
	ann := shop.login("Ann", nil)
	for path, cookie := range map[string]http.Header{"/items/tea": ann, "/time": nil} {
		shop.want(http.MethodGet, path, upgrade(cookie, "Origin", "https://evil.example"),
			http.StatusForbidden, `a page from "https://evil.example" may not connect to host "`+shop.host+`"...`)
		shop.want(http.MethodGet, path, upgrade(cookie, "Origin", "null"),
			http.StatusForbidden, `a page without an origin of its own...`)
		// The same request with a valid origin.
		a := shop.do(http.MethodGet, path, upgrade(cookie, "Origin", "http://"+shop.host), "")
		if a.Status != http.StatusSwitchingProtocols {
			t.Errorf("%s from a page of the same origin: got %d, want 101", path, a.Status)
		}
	}
	a := shop.want(http.MethodGet, "/time", nil, http.StatusUpgradeRequired, "this address speaks WebSocket\n")
	if got := a.Header.Get("Upgrade"); got != "websocket" {
		t.Errorf("426 with Upgrade %q, want websocket", got)
	}
}

// TestPanic: chi recovers from a handler that panics, also beside a WebSocket server.
// Open connections are not affected.
func TestPanic(t *testing.T) {
	t.Parallel()
	shop := open(t)
	shop.handler.Handle("/broken/{item}", router.New(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		panic("the page is broken")
	}), shop.sockets[0]))
	ann := shop.login("Ann", nil)
	before := shop.view("pepper", ann)
	wantPrice(t, before, "pepper", "", "Ann")
	shop.want(http.MethodGet, "/broken/pepper", ann, http.StatusInternalServerError, "")
	beside := websockettest.Dial(t, "ws://"+shop.host+"/broken/pepper", ann)
	wantPrice(t, beside, "pepper", "", "Ann")
	shop.setPrice("pepper", "6.00")
	for _, c := range []*websockettest.Client{before, beside} {
		wantPrice(t, c, "pepper", "6.00", "Ann")
		c.Close(consumer.CloseNormal, "")
	}
}

func TestShutdown(t *testing.T) {
	t.Parallel()
	shop := open(t)
	ann, bob := shop.login("Ann", nil), shop.login("Bob", nil)
	viewers := []*websockettest.Client{shop.view("coffee", ann), shop.view("coffee", bob), shop.view("juice", ann)}
	for i, v := range viewers {
		wantPrice(t, v, []string{"coffee", "coffee", "juice"}[i], "", []string{"Ann", "Bob", "Ann"}[i])
	}
	clock := dialClock(t, shop.host)
	over := make(chan error, 1)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	go func() { over <- shop.sockets.shutdown(ctx) }()
	for _, v := range viewers {
		v.WantClosed(consumer.CloseGoingAway)
	}
	wantAway(t, clock)
	if err := <-over; err != nil {
		t.Errorf("shutdown: %v", err)
	}
	for path, cookie := range map[string]http.Header{"/items/coffee": ann, "/time": nil} {
		shop.want(http.MethodGet, path, upgrade(cookie), http.StatusServiceUnavailable, "the server is shutting down\n")
	}
	shop.want(http.MethodGet, "/items/tea", ann, http.StatusOK, "Hello Ann, tea costs 3.00\n")
}
