package main

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/protocol/websocket/websockettest"
)

func TestProgram(t *testing.T) {
	t.Parallel()
	t.Run("SIGTERM", testTerminate)
	t.Run("SIGTERM during a request", testTerminateBusy)
	t.Run("port taken", func(t *testing.T) { t.Parallel(); wantPortTaken(t) })
}

func testTerminate(t *testing.T) {
	t.Parallel()
	started := startProgram(t)
	shop := &shopAt{t: t, host: started.Addr}
	ann := shop.login("Ann", nil)
	var viewers []*websockettest.Client
	for range 20 {
		viewers = append(viewers, shop.view("tea", ann))
	}
	for _, v := range viewers {
		wantPrice(t, v, "tea", "3.00", "Ann")
	}
	shop.setPrice("tea", "2.90")
	for _, v := range viewers {
		wantPrice(t, v, "tea", "2.90", "Ann")
	}
	clock := dialClock(t, started.Addr)
	started.Terminate(t)
	viewers[0].WantClosed(consumer.CloseGoingAway)
	// The listener has closed first: peers that are closed must not reconnect to this
	// process.
	if conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", started.Addr); err == nil {
		conn.Close()
		t.Error("while sockets are closed, the program still listens")
	}
	for _, v := range viewers[1:] {
		v.WantClosed(consumer.CloseGoingAway)
	}
	wantAway(t, clock)
	started.WantExit(t)
}

// testTerminateBusy stops the program while it reads a request. It has to answer the
// request before it exits.
func testTerminateBusy(t *testing.T) {
	t.Parallel()
	started := startProgram(t)
	cookie := (&shopAt{t: t, host: started.Addr}).login("Ann", nil).Get("Cookie")
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", started.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	const body = "price=1.00"
	_, err = io.WriteString(conn, "POST /items/tea HTTP/1.1\r\nHost: "+started.Addr+"\r\nCookie: "+cookie+"\r\n"+
		"Content-Type: "+form+"\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n")
	if err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(conn)
	wantStatus(t, in, http.StatusContinue) // the handler reads the body

	started.Terminate(t)
	started.await(t, false)
	if _, err := io.WriteString(conn, body); err != nil {
		t.Fatalf("the rest of a request that was being read: %v", err)
	}
	wantStatus(t, in, http.StatusNoContent)
	started.WantExit(t)
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
