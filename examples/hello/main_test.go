package main

import (
	"bytes"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/consumer/consumertest"
	"github.com/wye-go/wye/protocol/websocket"
	"github.com/wye-go/wye/protocol/websocket/websockettest"
)

// TestShort: the hello world has less than twenty lines. scripts/outside tests main
// itself, because its port is fixed.
func TestShort(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("main.go")
	if err != nil {
		t.Fatal(err)
	}
	if lines := bytes.Count(source, []byte("\n")); lines >= 20 {
		t.Errorf("main.go has %d lines, want less than 20", lines)
	}
}

// said are the messages to echo.
var said = []string{"hello", "", "Grüße, 你好 🙂", strings.Repeat("long ", 100_000)}

func TestEcho(t *testing.T) {
	t.Parallel()
	ann := consumertest.Connect(t, consumer.ReceiveFunc(echo), "/echo", nil)
	for _, s := range said {
		ann.SendText(s)
		ann.WantText(s)
		ann.SendBinary([]byte(s))
		if m := ann.Message(); m.Kind != consumer.KindBinary || string(m.Data) != s {
			t.Errorf("got the %v message %.200q, want binary %.200q", m.Kind, m.Data, s)
		}
	}
	ann.Close(consumer.CloseNormal, "")
	ann.WantOver()
}

// TestSocket tests the handler of main on a port of its own.
func TestSocket(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(websocket.Handler(consumer.ReceiveFunc(echo)))
	defer server.Close()
	ann := websockettest.Dial(t, server.URL+"/echo", nil)
	for _, s := range said {
		for _, f := range []websockettest.Frame{websockettest.Text(s), websockettest.Binary(s)} {
			ann.Send(f)
			ann.Want(f)
		}
	}
	ann.Send(websockettest.Ping("are you there?"))
	ann.Want(websockettest.Pong("are you there?"))
	ann.Close(consumer.CloseNormal, "")
}
