package matrix_test

import (
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/gobwas/ws"

	"github.com/wye-go/wye/consumer/consumertest"
	"github.com/wye-go/wye/internal/testkit"
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
			tea1.echo(ws.OpText, "first")
			tea2 := enter(t, addr, "tea")
			tea2.echo(ws.OpText, "second")
			tea1.want(ws.OpText, "second")
			cake := enter(t, addr, "cake")
			cake.echo(ws.OpText, "third")
			tea1.say(ws.OpText, "hello")
			tea1.want(ws.OpText, "hello")
			tea2.want(ws.OpText, "hello")
			cake.echo(ws.OpText, "nobody else") // and nothing of the other room before it
			tea2.hangUp()
			tea1.echo(ws.OpText, "still here")
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
			p.echo(ws.OpText, "hello")
			p.echo(ws.OpBinary, "\x00\xff")
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
	p.open(upgrade(addr, "/live/"+room))
	return p
}

// hangUp closes, and waits for the server to do so.
func (p *peer) hangUp() {
	p.tb.Helper()
	p.say(ws.OpClose, closing(1000, ""))
	_ = p.next(ws.OpClose)
	p.wantEnd()
}
