package main

import (
	"testing"
	"testing/synctest"

	"github.com/wye-go/wye/consumer/consumertest"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/layers/memory"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/router"
)

// app is the chat on a layer of its own, so that tests do not hear each other.
func app() protocol.Application {
	return router.Use(urls(), layers.Use(memory.New()))
}

func TestThreePeople(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chat := app()
		ann := consumertest.Connect(t, chat, "/ws/123/", nil)
		bob := consumertest.Connect(t, chat, "/ws/123/", nil)
		eve := consumertest.Connect(t, chat, "/ws/456/", nil)

		ann.SendText("hello")
		ann.WantText("hello")
		bob.WantText("hello")
		eve.WantNothing()

		bob.Close(protocol.CloseGoingAway, "")
		bob.WantOver()
		ann.SendText("anybody?")
		ann.WantText("anybody?")
		bob.WantNothing()
	})
}

func TestRefused(t *testing.T) {
	for target, status := range map[string]int{"/ws/123": 404, "/": 404, "/ws/a-b/": 404} {
		if got := consumertest.Refused(t, app(), target, nil); got.Status != status {
			t.Errorf("%s: refused with %d, want %d", target, got.Status, status)
		}
	}
}

func TestBinaryIsRefused(t *testing.T) {
	ann := consumertest.Connect(t, app(), "/ws/123/", nil)
	ann.SendBinary([]byte{1})
	ann.WantClose(protocol.CloseUnsupportedData)
}
