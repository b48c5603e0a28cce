package main

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/wye-go/wye/examples/internal/exampletest"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket/websockettest"
)

func TestMain(m *testing.M) { exampletest.Main(m) }

// soon is how long the program may take to end when it is asked to.
const soon = 5 * time.Second

func TestProgram(t *testing.T) {
	t.Parallel()
	program := exampletest.Build(t)
	t.Run("SIGTERM", testTerminate(program))
	t.Run("SIGTERM during a request", testTerminateBusy(program))
	t.Run("port taken", program.PortTaken())
}

func testTerminate(program exampletest.Program) func(*testing.T) {
	return func(t *testing.T) {
		t.Parallel()
		started := program.Start(t)
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
		viewers[0].WantClosed(protocol.CloseGoingAway)
		// The listener has closed before: who is told to go must not come back here.
		if conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", started.Addr); err == nil {
			conn.Close()
			t.Error("while sockets are closed, the program still listens")
		}
		for _, v := range viewers[1:] {
			v.WantClosed(protocol.CloseGoingAway)
		}
		wantAway(t, clock)
		started.WantExit(t, 0, soon)
	}
}

// testTerminateBusy stops the program while it reads a request, which it has to
// answer before it ends.
func testTerminateBusy(program exampletest.Program) func(*testing.T) {
	return func(t *testing.T) {
		t.Parallel()
		started := program.Start(t)
		cookie := (&shopAt{t: t, host: started.Addr}).login("Ann", nil).Get("Cookie")
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", started.Addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(exampletest.Patience))
		const body = "price=1.00"
		_, err = io.WriteString(conn, "POST /items/tea HTTP/1.1\r\nHost: "+started.Addr+"\r\nCookie: "+cookie+"\r\n"+
			"Content-Type: "+form+"\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n")
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
