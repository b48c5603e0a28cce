package matrix_test

import (
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/wye-go/wye/consumer/consumertest"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol/websocket/websockettest"
)

// TestLibraries is that what docs/from-go-libraries.md sets side by side does the
// same.
func TestLibraries(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		at   testkit.Line
		chat http.Handler
	}{
		{"gorilla", testkit.Here(), gorillaChat()},
		{"melody", testkit.Here(), melodyChat()},
		{"gws", testkit.Here(), gwsChat()},
		{"Wye", testkit.Here(), wyeChat()},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			t.Log(row.at)
			mux := http.NewServeMux()
			mux.Handle("GET /live/{room}", row.chat)
			addr := newBed(t, nil).serve(mux)
			// With some, a client is let in before it is a member: each hears itself first.
			tea1 := enter(t, addr, "tea")
			tea1.echo(websockettest.Text("first"))
			tea2 := enter(t, addr, "tea")
			tea2.echo(websockettest.Text("second"))
			tea1.WantText("second")
			cake := enter(t, addr, "cake")
			cake.echo(websockettest.Text("third"))
			tea1.SendText("hello")
			tea1.WantText("hello")
			tea2.WantText("hello")
			cake.echo(websockettest.Text("nobody else")) // and nothing of the other room before it
			tea2.hangUp()
			tea1.echo(websockettest.Text("still here"))
			tea1.hangUp()
			cake.hangUp()
		})
	}
}

// TestLibrariesLoop is coder's loop and Wye's.
func TestLibrariesLoop(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		at   testkit.Line
		echo http.Handler
	}{
		{"coder", testkit.Here(), http.HandlerFunc(coderEcho)},
		{"Wye", testkit.Here(), wyeEcho()},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			t.Log(row.at)
			p := enter(t, newBed(t, nil).serve(row.echo), "")
			p.echo(websockettest.Text("hello"))
			p.echo(websockettest.Binary("\x00\xff"))
			p.hangUp()
		})
	}
}

// TestLibrariesFilter is that a consumer decides which events its peer hears of.
func TestLibrariesFilter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		game := wyeGame()
		ann := consumertest.Connect(t, game, "/?level=1", nil)
		bob := consumertest.Connect(t, game, "/?level=1", nil)
		eve := consumertest.Connect(t, game, "/?level=2", nil)
		ann.SendText("e4")
		bob.WantText(`{"level":"1","to":"e4"}`)
		ann.WantNothing()
		eve.WantNothing()
	})
}

// enter opens a connection to a room.
func enter(t *testing.T, addr, room string) *peer {
	t.Helper()
	p := dial(t, "tcp", addr)
	p.Upgrade(upgrade(addr, "/live/"+room))
	return p
}

// hangUp closes, and waits for the server to do so.
func (p *peer) hangUp() {
	p.tb.Helper()
	p.Close(1000, "")
}
