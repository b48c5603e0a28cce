package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/consumer/consumertest"
	"github.com/wye-go/wye/protocol/websocket/websockettest"
	"github.com/wye-go/wye/router"
)

// wantLoggedOut checks that a cookie allows nothing but a login.
func (s *shopAt) wantLoggedOut(cookie http.Header) {
	s.t.Helper()
	s.want(http.MethodGet, "/items/tea", cookie, http.StatusUnauthorized, "log in first\n")
	s.want(http.MethodPost, "/items/tea", cookie, http.StatusUnauthorized, "log in first\n")
	a := s.want(http.MethodGet, "/items/tea", upgrade(cookie), http.StatusUnauthorized, "log in first\n")
	if got := a.Header.Get("Vary"); got != "Cookie" {
		s.t.Errorf("401 with Vary %q, want Cookie", got)
	}
	if n := s.sockets[0].Stats().Accepted; n != 0 {
		s.t.Errorf("%d sockets were accepted", n)
	}
}

func TestWithoutLogin(t *testing.T) {
	t.Parallel()
	shop := open(t)
	shop.wantLoggedOut(nil)
	shop.wantLoggedOut(http.Header{"Cookie": {"session=made-up"}})
	shop.wantLoggedOut(http.Header{"Cookie": {"user=Ann"}})
	if a := shop.post("/login", nil, "name="); a.Status != http.StatusBadRequest || a.Header.Get("Set-Cookie") != "" {
		t.Errorf("login without a name: got %d %v, want 400 and no cookie", a.Status, a.Header)
	}
	shop.want(http.MethodGet, "/items/tea", shop.login("Ann", nil), http.StatusOK, "Hello Ann, tea costs 3.00\n")
}

// TestSessionGone: the store no longer has the session, as after its deadline.
func TestSessionGone(t *testing.T) {
	t.Parallel()
	shop := open(t)
	ann := shop.login("Ann", nil)
	_, token, _ := strings.Cut(ann.Get("Cookie"), "=")
	if err := shop.shop.sessions.Store.Delete(token); err != nil {
		t.Fatal(err)
	}
	shop.wantLoggedOut(ann)
}

// TestLogout: a logout closes the connections of its session, and no others.
func TestLogout(t *testing.T) {
	t.Parallel()
	shop := open(t)
	desk, phone, bob := shop.login("Ann", nil), shop.login("Ann", nil), shop.login("Bob", nil)
	leave := []*websockettest.Client{shop.view("rice", desk), shop.view("bread", desk)}
	stay := []*websockettest.Client{shop.view("rice", phone), shop.view("rice", bob)}
	for i, c := range leave {
		wantPrice(t, c, []string{"rice", "bread"}[i], "", "Ann")
	}
	for i, c := range stay {
		wantPrice(t, c, "rice", "", []string{"Ann", "Bob"}[i])
	}

	a := shop.post("/logout", desk, "")
	if got := a.Header.Get("Set-Cookie"); a.Status != http.StatusNoContent || !strings.Contains(got, "Max-Age=0") {
		t.Errorf("logout: got %d and Set-Cookie %q, want 204 and one that deletes", a.Status, got)
	}
	for _, c := range leave {
		if got := c.WantClosed(consumer.CloseUnauthorized); got != "the session has ended" {
			t.Errorf("closed with %q", got)
		}
	}
	shop.want(http.MethodGet, "/items/tea", desk, http.StatusUnauthorized, "log in first\n")
	shop.want(http.MethodGet, "/items/tea", upgrade(desk), http.StatusUnauthorized, "log in first\n")
	shop.setPrice("rice", "2.00")
	for i, c := range stay {
		wantPrice(t, c, "rice", "2.00", []string{"Ann", "Bob"}[i])
		c.Close(consumer.CloseNormal, "")
	}
	for _, nobody := range []http.Header{nil, desk} {
		if a := shop.post("/logout", nobody, ""); a.Status != http.StatusNoContent {
			t.Errorf("logout of %v, who is not there: got %d %q, want 204", nobody, a.Status, a.Body)
		}
	}
}

// TestLoginAgain: a login as another user closes the connections of the browser's
// session.
func TestLoginAgain(t *testing.T) {
	t.Parallel()
	shop := open(t)
	ann := shop.login("Ann", nil)
	socket := shop.view("oil", ann)
	wantPrice(t, socket, "oil", "", "Ann")
	bob := shop.login("Bob", ann)
	if got := socket.WantClosed(consumer.CloseUnauthorized); got != "the session has ended" {
		t.Errorf("closed with %q", got)
	}
	shop.want(http.MethodGet, "/items/tea", ann, http.StatusUnauthorized, "log in first\n")
	shop.want(http.MethodGet, "/items/tea", bob, http.StatusOK, "Hello Bob, tea costs 3.00\n")
	socket = shop.view("oil", bob)
	wantPrice(t, socket, "oil", "", "Bob")
	socket.Close(consumer.CloseNormal, "")
}

// TestLogoutMeanwhile: the logout comes after the session was loaded for the handshake,
// and before the connection joins the group.
func TestLogoutMeanwhile(t *testing.T) {
	t.Parallel()
	shop := open(t)
	ann := shop.login("Ann", nil)
	slow := shop.shop.sessions.LoadAndSave(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		shop.post("/logout", ann, "")
		shop.handler.ServeHTTP(w, r)
	}))
	server := httptest.NewServer(slow)
	defer server.Close()
	a := websockettest.Refused(t, server.URL+"/items/tea", ann)
	if a.Status != http.StatusUnauthorized || a.Body != "log in first\n" {
		t.Errorf("got %d %q, want 401", a.Status, a.Body)
	}
	if n := shop.sockets[0].Stats().Accepted; n != 0 {
		t.Errorf("%d sockets were accepted", n)
	}
}

// TestSessionTime: a connection closes at the deadline of its session.
func TestSessionTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := quietShop()
		began := time.Now()
		app := router.NewURLRouter(router.RePath(`^items/(?P<item>\w+)$`, viewers(s)))
		c := consumertest.Connect(t, app, "/items/flour", &consumertest.Options{Context: logIn(t, s, "Ann")})
		c.WantText(`{"item":"flour","price":"","for":"Ann"}`)
		<-time.After(s.sessions.Lifetime - time.Second)
		if err := s.setPrice(t.Context(), "flour", "1.50"); err != nil {
			t.Fatal(err)
		}
		c.WantText(`{"item":"flour","price":"1.50","for":"Ann"}`)
		if got := c.WantClose(consumer.CloseUnauthorized); got.Reason != "the session has ended" {
			t.Errorf("closed with %q", got.Reason)
		}
		if after := time.Since(began); after != s.sessions.Lifetime {
			t.Errorf("closed after %v, want %v", after, s.sessions.Lifetime)
		}
	})
}

// logIn returns the context of a request with a session.
func logIn(t *testing.T, s *shop, name string) context.Context {
	t.Helper()
	first, err := s.sessions.Load(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	s.sessions.Put(first, "user", name)
	token, _, err := s.sessions.Commit(first)
	if err != nil {
		t.Fatal(err)
	}
	ctx, err := s.sessions.Load(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	return ctx
}
