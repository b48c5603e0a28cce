package main

import (
	"bytes"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/consumer/consumertest"
	"github.com/wye-go/wye/examples/internal/exampletest"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// TestShort: the hello world is under twenty lines, or it is none. That main
// works as it stands is for scripts/outside to find out, as its port is fixed.
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

// said is what is echoed.
var said = []string{"hello", "", "Grüße, 你好 🙂", strings.Repeat("long ", 100_000)}

func TestEcho(t *testing.T) {
	t.Parallel()
	ann := consumertest.Connect(t, consumer.Receive(echo), "/echo", nil)
	for _, s := range said {
		ann.SendText(s)
		ann.WantText(s)
		ann.SendBinary([]byte(s))
		if m := ann.Message(); m.Kind != protocol.KindBinary || string(m.Data) != s {
			t.Errorf("got the %v message %s, want binary %s", m.Kind, exampletest.Short(string(m.Data)), exampletest.Short(s))
		}
	}
	ann.Close(protocol.CloseNormal, "")
	ann.WantOver()
}

// TestSocket has the handler of main on a port of its own.
func TestSocket(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(websocket.Handler(consumer.Receive(echo)))
	defer server.Close()
	ann := exampletest.Dial(t, "ws"+strings.TrimPrefix(server.URL, "http")+"/echo", nil)
	for _, s := range said {
		ann.SendText(s)
		ann.WantText(s)
		ann.SendBinary([]byte(s))
		ann.WantBinary([]byte(s))
	}
	ann.Ping("are you there?")
	ann.Close()
}
