package main

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/alexedwards/scs/v2/memstore"
	"github.com/go-chi/chi/v5"

	"github.com/wye-go/wye/protocol/websocket/websockettest"
)

// here returns the caller's line, for the rows of tables.
func here() string {
	_, file, line, _ := runtime.Caller(1)
	return fmt.Sprintf("%s:%d", filepath.Base(file), line)
}

// All tests share the groups of the process, so tests that change a price use an item
// of their own.

// shopAt is the program's handler behind an HTTP server.
type shopAt struct {
	t       *testing.T
	host    string
	shop    *shop
	handler chi.Router
	sockets sockets
}

func open(t *testing.T) *shopAt {
	t.Helper()
	var s *shop
	synctest.Test(t, func(*testing.T) { s = quietShop() })
	handler, sockets := routes(s)
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return &shopAt{t: t, host: server.Listener.Addr().String(), shop: s, handler: handler, sockets: sockets}
}

// quietShop returns a shop whose session store has no cleanup goroutine. It stops the
// goroutine in a synctest bubble, because elsewhere StopCleanup races with it.
func quietShop() *shop {
	s := newShop()
	synctest.Wait()
	s.sessions.Store.(*memstore.MemStore).StopCleanup()
	return s
}

const form = "application/x-www-form-urlencoded"

// login logs in, with the cookie in header if there is one, and returns a header with
// the new cookie.
func (s *shopAt) login(name string, header http.Header) http.Header {
	s.t.Helper()
	a := s.post("/login", header, "name="+url.QueryEscape(name))
	cookie, err := http.ParseSetCookie(a.Header.Get("Set-Cookie"))
	if a.Status != http.StatusNoContent || err != nil || cookie.Value == "" {
		s.t.Fatalf("login: got %d %q, %v, want 204 and a cookie", a.Status, a.Body, a.Header)
	}
	return http.Header{"Cookie": {cookie.Name + "=" + cookie.Value}}
}

// view opens a WebSocket connection to an item. path is percent-encoded.
func (s *shopAt) view(path string, user http.Header) *websockettest.Client {
	s.t.Helper()
	return websockettest.Dial(s.t, "ws://"+s.host+"/items/"+path, user)
}

// do makes one request on a connection of its own. If an upgrade is accepted, do
// returns the answer and disconnects.
func (s *shopAt) do(method, path string, header http.Header, body string) websockettest.Answer {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, "http://"+s.host+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header = with(header)
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	a := websockettest.Answer{Status: resp.StatusCode, Header: resp.Header}
	if a.Status == http.StatusSwitchingProtocols {
		return a
	}
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	a.Body = string(got)
	return a
}

// post sends a form.
func (s *shopAt) post(path string, header http.Header, body string) websockettest.Answer {
	s.t.Helper()
	return s.do(http.MethodPost, path, with(header, "Content-Type", form), body)
}

// with returns header with more fields, given as pairs of name and value.
func with(header http.Header, more ...string) http.Header {
	h := http.Header{}
	maps.Copy(h, header)
	for i := 0; i+1 < len(more); i += 2 {
		h.Set(more[i], more[i+1])
	}
	return h
}

// upgrade returns header with the fields of a handshake, and more.
func upgrade(header http.Header, more ...string) http.Header {
	return with(header, append([]string{
		"Connection", "Upgrade", "Upgrade", "websocket",
		"Sec-Websocket-Version", "13", "Sec-Websocket-Key", websockettest.SampleKey,
	}, more...)...)
}

// want makes a request, and checks status and body. A body that ends in "..." is a
// prefix.
func (s *shopAt) want(method, path string, header http.Header, status int, body string) websockettest.Answer {
	s.t.Helper()
	a := s.do(method, path, header, "")
	begin, partly := strings.CutSuffix(body, "...")
	if a.Status != status || !partly && a.Body != body || partly && !strings.HasPrefix(a.Body, begin) {
		s.t.Errorf("%s %s: got %d %q, want %d %q", method, path, a.Status, a.Body, status, body)
	}
	return a
}

// setPrice changes a price with a form.
func (s *shopAt) setPrice(item, price string) {
	s.t.Helper()
	path := "/items/" + url.PathEscape(item)
	if a := s.post(path, s.login("Shopkeeper", nil), "price="+url.QueryEscape(price)); a.Status != http.StatusNoContent {
		s.t.Errorf("POST %s: got %d %q, want 204", path, a.Status, a.Body)
	}
}

func wantPrice(t *testing.T, c *websockettest.Client, item, price, name string) {
	t.Helper()
	c.WantText(`{"item":"` + item + `","price":"` + price + `","for":"` + name + `"}`)
}
