package main

import (
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/wye-go/wye/examples/internal/exampletest"
	"github.com/wye-go/wye/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// soon is how long the program may take to end when it is asked to.
const soon = 5 * time.Second

// TestProgram is about the program as it is built and run.
func TestProgram(t *testing.T) {
	t.Parallel()
	program := exampletest.Build(t)
	t.Run("page", testPage(program))
	t.Run("clients", testClients(program))
	t.Run("restart", testRestart(program))
	t.Run("silent connection", testSilent(program))
	t.Run("port taken", program.PortTaken())
}

// testRestart stops the program with many people in it, and starts it where it
// was.
func testRestart(program exampletest.Program) func(*testing.T) {
	return func(t *testing.T) {
		t.Parallel()
		chat := program.Start(t)
		people := make([]*exampletest.Client, 50)
		for i := range people {
			people[i] = exampletest.Dial(t, chat.WS("/ws/123/"), nil)
		}
		people[0].SendText("hello")
		for _, p := range people {
			p.WantText("hello")
		}

		chat.Terminate(t)
		for _, p := range people {
			if reason := p.WantClose(ws.StatusGoingAway); reason != "the server is shutting down" {
				t.Errorf("closed with the reason %q", reason)
			}
		}
		chat.WantExit(t, 0, soon)

		again := program.StartAt(t, chat.Addr)
		ann := exampletest.Dial(t, again.WS("/ws/123/"), nil)
		ann.SendText("hello again")
		ann.WantText("hello again")
		ann.Close()
		if a := exampletest.Do(t, http.MethodGet, again.HTTP("/"), nil, ""); a.Status != http.StatusOK {
			t.Errorf("the page: %d", a.Status)
		}
		again.Terminate(t)
		again.WantExit(t, 0, soon)
	}
}

// testSilent stops the program while somebody is connected who has not made a
// request yet, as browsers are that expect to make one.
func testSilent(program exampletest.Program) func(*testing.T) {
	return func(t *testing.T) {
		t.Parallel()
		chat := program.Start(t)
		silent, err := net.Dial("tcp", chat.Addr)
		if err != nil {
			t.Fatal(err)
		}
		defer silent.Close()
		// The server takes connections in turn: when this has its answer, the silent
		// one is known.
		exampletest.Do(t, http.MethodGet, chat.HTTP("/"), nil, "")
		chat.Terminate(t)
		chat.WantExit(t, 0, soon)
	}
}
