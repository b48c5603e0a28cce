package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/wye-go/wye/examples/internal/exampletest"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol/websocket"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// The groups of viewers are the process's: tests that announce something each
// have an item of their own.

// shopAt is the program's handler at an address of its own.
type shopAt struct {
	t       *testing.T
	host    string
	handler http.Handler
	live    *websocket.Server
}

func open(t *testing.T) *shopAt {
	t.Helper()
	handler, l := routes()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return &shopAt{t: t, host: server.Listener.Addr().String(), handler: handler, live: l}
}

// cookie is what login lets in.
func cookie(name string) http.Header { return http.Header{"Cookie": {"user=" + name}} }

// view opens a socket.
func (s *shopAt) view(item, name string) *exampletest.Client {
	s.t.Helper()
	return exampletest.Dial(s.t, "ws://"+s.host+"/live/"+item, cookie(name))
}

func (s *shopAt) do(method, path string, header http.Header, body string) exampletest.Answer {
	s.t.Helper()
	return exampletest.Do(s.t, method, "http://"+s.host+path, header, body)
}

// want makes a request, and checks status and body. A body that ends in "..." is
// only the beginning.
func (s *shopAt) want(method, path string, header http.Header, status int, body string) exampletest.Answer {
	s.t.Helper()
	a := s.do(method, path, header, "")
	begin, partly := strings.CutSuffix(body, "...")
	if a.Status != status || !partly && a.Body != body || partly && !strings.HasPrefix(a.Body, begin) {
		s.t.Errorf("%s %s: got %d %q, want %d %q", method, path, a.Status, a.Body, status, body)
	}
	return a
}

// setPrice changes a price, as a form does.
func (s *shopAt) setPrice(item, price string) {
	s.t.Helper()
	header := cookie("Shopkeeper")
	header.Set("Content-Type", "application/x-www-form-urlencoded")
	if a := s.do(http.MethodPost, "/items/"+url.PathEscape(item), header, "price="+url.QueryEscape(price)); a.Status != http.StatusNoContent {
		s.t.Errorf("POST /items/%s: got %d %q, want 204", item, a.Status, a.Body)
	}
}

func wantPrice(t *testing.T, c *exampletest.Client, item, price, name string) {
	t.Helper()
	c.WantText(`{"item":"` + item + `","price":"` + price + `","for":"` + name + `"}`)
}

func TestWithoutLogin(t *testing.T) {
	t.Parallel()
	shop := open(t)
	shop.want(http.MethodGet, "/items/tea", nil, http.StatusUnauthorized, "log in first\n")
	shop.want(http.MethodPost, "/items/tea", nil, http.StatusUnauthorized, "log in first\n")
	shop.want(http.MethodGet, "/live/tea", nil, http.StatusUnauthorized, "log in first\n")
	shop.want(http.MethodGet, "/live/tea", exampletest.Upgrade(), http.StatusUnauthorized, "log in first\n")
	shop.want(http.MethodGet, "/items/tea", cookie("Ann"), http.StatusOK, "Hello Ann, tea costs 3.00\n")
}

// TestAsBefore is about what was there before the socket.
func TestAsBefore(t *testing.T) {
	t.Parallel()
	shop := open(t)
	a := shop.want(http.MethodGet, "/items/tea", cookie("Ann"), http.StatusOK, "Hello Ann, tea costs 3.00\n")
	if got := a.Header.Get("Vary"); got != "Cookie" {
		t.Errorf("Vary: got %q, want Cookie", got)
	}
	shop.want(http.MethodGet, "/items/cake", cookie("<Ann>"), http.StatusOK, "Hello &lt;Ann&gt;, cake costs 4.50\n")
	shop.want(http.MethodGet, "/", cookie("Ann"), http.StatusNotFound, "404 page not found\n")
	shop.want(http.MethodDelete, "/items/tea", cookie("Ann"), http.StatusMethodNotAllowed, "Method Not Allowed\n")

	shop.setPrice("milk", "1.20")
	shop.want(http.MethodGet, "/items/milk", cookie("Ann"), http.StatusOK, "Hello Ann, milk costs 1.20\n")
}

// TestAnyName: items had any names before the socket was there.
func TestAnyName(t *testing.T) {
	t.Parallel()
	for _, item := range []string{"green tea", "crème brûlée", strings.Repeat("very-", 20) + "long"} {
		t.Run(item, func(t *testing.T) {
			t.Parallel()
			shop := open(t)
			shop.setPrice(item, "5.00")
			shop.want(http.MethodGet, "/items/"+url.PathEscape(item), cookie("Ann"), http.StatusOK, "Hello Ann, "+item+" costs 5.00\n")
			ann := shop.view(url.PathEscape(item), "Ann")
			wantPrice(t, ann, item, "5.00", "Ann")
			shop.setPrice(item, "5.50")
			wantPrice(t, ann, item, "5.50", "Ann")
			ann.Close()
		})
	}
}

func TestLive(t *testing.T) {
	t.Parallel()
	shop := open(t)
	ann, bob, eve := shop.view("tea", "Ann"), shop.view("tea", "Bob"), shop.view("cake", "Eve")
	// The name is what the login middleware has put into the request's context.
	wantPrice(t, ann, "tea", "3.00", "Ann")
	wantPrice(t, bob, "tea", "3.00", "Bob")
	wantPrice(t, eve, "cake", "4.50", "Eve")
	if got := ann.Header.Get("Vary"); got != "Cookie" {
		t.Errorf("the answer to the handshake has Vary %q, want the middleware's Cookie", got)
	}

	for _, now := range []string{"3.10", "3.20"} {
		shop.setPrice("tea", now)
		wantPrice(t, ann, "tea", now, "Ann")
		wantPrice(t, bob, "tea", now, "Bob")
	}
	late := shop.view("tea", "Late")
	wantPrice(t, late, "tea", "3.20", "Late")
	bob.Close()
	shop.setPrice("tea", "3.30")
	wantPrice(t, ann, "tea", "3.30", "Ann")
	wantPrice(t, late, "tea", "3.30", "Late")
	shop.setPrice("cake", "4.60")
	wantPrice(t, eve, "cake", "4.60", "Eve") // and nothing about tea before
	shop.setPrice("tea", "3.40")
	wantPrice(t, ann, "tea", "3.40", "Ann") // and nothing about cake before
	wantPrice(t, late, "tea", "3.40", "Late")
	for _, c := range []*exampletest.Client{ann, eve, late} {
		c.Close()
	}
}

// TestHangUp: who changes a price need not wait for the answer.
func TestHangUp(t *testing.T) {
	t.Parallel()
	shop := open(t)
	ann := shop.view("sugar", "Ann")
	wantPrice(t, ann, "sugar", "", "Ann")
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	r := httptest.NewRequestWithContext(gone, http.MethodPost, "/items/sugar?price=0.90", nil)
	r.Header = cookie("Hasty")
	shop.handler.ServeHTTP(httptest.NewRecorder(), r)
	shop.want(http.MethodGet, "/items/sugar", cookie("Ann"), http.StatusOK, "Hello Ann, sugar costs 0.90\n")
	wantPrice(t, ann, "sugar", "0.90", "Ann")
	ann.Close()
}

// TestAtOnce: when several change a price at once, what viewers are told last is
// what it is.
func TestAtOnce(t *testing.T) {
	t.Parallel()
	shop := open(t)
	ann := shop.view("salt", "Ann")
	wantPrice(t, ann, "salt", "", "Ann")
	const changes = 4
	for range 200 {
		var all sync.WaitGroup
		for i := range changes {
			all.Go(func() {
				r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/items/salt?price="+strconv.Itoa(i), nil)
				r.Header = cookie("Shopkeeper")
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
		if got := shop.do(http.MethodGet, "/items/salt", cookie("Ann"), "").Body; got != want {
			t.Fatalf("after %d changes at once a viewer was told %s last, and the page says %q", changes, told.Price, got)
		}
	}
	ann.Close()
}

func TestRefused(t *testing.T) {
	t.Parallel()
	shop := open(t)
	cookied := []string{"Cookie", "user=Ann"}
	shop.want(http.MethodGet, "/live/tea", exampletest.Upgrade(append(cookied, "Origin", "https://evil.example")...),
		http.StatusForbidden, `a page from "https://evil.example" may not connect to host "`+shop.host+`"...`)
	shop.want(http.MethodGet, "/live/tea", exampletest.Upgrade(append(cookied, "Origin", "null")...),
		http.StatusForbidden, `the origin "null" is not a web page's...`)
	a := shop.want(http.MethodGet, "/live/tea", cookie("Ann"), http.StatusUpgradeRequired, "this address speaks WebSocket\n")
	if got := a.Header.Get("Upgrade"); got != "websocket" {
		t.Errorf("426 with Upgrade %q, want websocket", got)
	}
	shop.want(http.MethodPost, "/live/tea", cookie("Ann"), http.StatusMethodNotAllowed, "Method Not Allowed\n")
	// The same without what was wrong.
	a = shop.do(http.MethodGet, "/live/tea", exampletest.Upgrade(append(cookied, "Origin", "http://"+shop.host)...), "")
	if a.Status != http.StatusSwitchingProtocols {
		t.Errorf("from a page of the same origin: got %d, want 101", a.Status)
	}
}

func TestShutdown(t *testing.T) {
	t.Parallel()
	shop := open(t)
	viewers := []*exampletest.Client{shop.view("coffee", "Ann"), shop.view("coffee", "Bob"), shop.view("juice", "Eve")}
	for i, v := range viewers {
		wantPrice(t, v, []string{"coffee", "coffee", "juice"}[i], "", []string{"Ann", "Bob", "Eve"}[i])
	}
	over := make(chan error, 1)
	ctx, cancel := context.WithTimeout(t.Context(), exampletest.Patience)
	defer cancel()
	go func() { over <- shop.live.Shutdown(ctx) }()
	for _, v := range viewers {
		v.WantClose(ws.StatusGoingAway)
	}
	if err := <-over; err != nil {
		t.Errorf("Shutdown: %v", err)
	}
	header := exampletest.Upgrade("Cookie", "user=Ann")
	shop.want(http.MethodGet, "/live/coffee", header, http.StatusServiceUnavailable, "the server is shutting down\n")
	shop.want(http.MethodGet, "/items/tea", cookie("Ann"), http.StatusOK, "Hello Ann, tea costs 3.00\n")
}

// soon is how long the program may take to end when it is asked to.
const soon = 5 * time.Second

func TestProgram(t *testing.T) {
	t.Parallel()
	program := exampletest.Build(t)
	t.Run("SIGTERM", testTerminate(program))
	t.Run("SIGTERM during a request", testTerminateBusy(program))
	t.Run("port taken", testPortTaken(program))
}

func testTerminate(program exampletest.Program) func(*testing.T) {
	return func(t *testing.T) {
		t.Parallel()
		started := program.Start(t)
		shop := &shopAt{t: t, host: started.Addr}
		var viewers []*exampletest.Client
		for range 20 {
			viewers = append(viewers, shop.view("tea", "Ann"))
		}
		for _, v := range viewers {
			wantPrice(t, v, "tea", "3.00", "Ann")
		}
		shop.setPrice("tea", "2.90")
		for _, v := range viewers {
			wantPrice(t, v, "tea", "2.90", "Ann")
		}
		started.Terminate(t)
		for _, v := range viewers {
			v.WantClose(ws.StatusGoingAway)
		}
		started.WantExit(t, 0, soon)
	}
}

// testTerminateBusy stops the program while it reads a request, which it has to
// answer before it ends.
func testTerminateBusy(program exampletest.Program) func(*testing.T) {
	return func(t *testing.T) {
		t.Parallel()
		started := program.Start(t)
		conn, err := net.Dial("tcp", started.Addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(exampletest.Patience))
		const body = "price=1.00"
		_, err = io.WriteString(conn, "POST /items/tea HTTP/1.1\r\nHost: "+started.Addr+"\r\nCookie: user=Ann\r\n"+
			"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n")
		if err != nil {
			t.Fatal(err)
		}
		in := bufio.NewReader(conn)
		wantStatus(t, in, http.StatusContinue) // the handler reads

		started.Terminate(t)
		started.WantDeaf(t)
		if _, err := io.WriteString(conn, body); err != nil {
			t.Fatalf("the rest of a request that was being read: %v", err)
		}
		wantStatus(t, in, http.StatusNoContent)
		started.WantExit(t, 0, soon)
	}
}

func wantStatus(t *testing.T, in *bufio.Reader, want int) {
	t.Helper()
	a, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatalf("waiting for %d: %v", want, err)
	}
	a.Body.Close()
	if a.StatusCode != want {
		t.Fatalf("got %s, want %d", a.Status, want)
	}
}

func testPortTaken(program exampletest.Program) func(*testing.T) {
	return func(t *testing.T) {
		t.Parallel()
		started := program.Start(t)
		code, output := program.Fail(t, started.Addr)
		if code <= 0 || !strings.Contains(output, "listen tcp "+started.Addr) || !strings.Contains(output, "address already in use") {
			t.Errorf("on a port that is taken, the program ended with %d and wrote:\n%s", code, output)
		}
	}
}
