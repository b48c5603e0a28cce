package docs_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket"
	"github.com/wye-go/wye/protocol/websocket/websockettest"
	"github.com/wye-go/wye/router"
)

// compression.md quotes the functions in this file.

// newServer compresses messages of 256 bytes and more, for peers that offer it.
func newServer(app protocol.Application) *websocket.Server {
	return websocket.New(app, &websocket.Options{Compression: &websocket.Compression{}})
}

// newRoutes has nothing compressed on the account's route.
func newRoutes(room, account protocol.Application) protocol.Application {
	return router.NewURLRouter(
		router.Path("room/", room),
		router.Path("account/", router.Use(account, router.Compression(protocol.CompressionOff))),
	)
}

// sendToken sends a secret as it is: see below.
func sendToken(ctx context.Context, c *consumer.Conn, token string) error {
	m := consumer.Text(`{"type":"token","token":"` + token + `"}`)
	m.Uncompressed = true
	return c.Send(ctx, m)
}

// onlyText is for Compression.Skip: it leaves out binary messages.
func onlyText(m protocol.Message) bool { return m.Kind == protocol.KindBinary }

// TestCompressionGuide has a client offer compression on both routes, and looks at what is
// compressed.
func TestCompressionGuide(t *testing.T) {
	t.Parallel()
	app := consumer.ReceiveFunc(func(ctx context.Context, c *consumer.Conn, m consumer.Message) error {
		if err := c.Send(ctx, m); err != nil {
			return err
		}
		return sendToken(ctx, c, strings.Repeat("s3cret", 100))
	})
	server := newServer(newRoutes(app, app))
	l := websockettest.Serve(t, &http.Server{Handler: server})
	for _, row := range []struct {
		at         testkit.Line
		path       string
		answer     string
		compressed int64
	}{
		{testkit.Here(), "/room/", "permessage-deflate; server_no_context_takeover; client_no_context_takeover", 1},
		{testkit.Here(), "/account/", "", 0},
	} {
		before := server.Stats().Compression.MessagesOut
		c := websockettest.New(t, l.Dial())
		a := c.Upgrade(websockettest.Request(row.path, "Host: example.com", "Sec-WebSocket-Extensions: permessage-deflate"))
		if got := a.Header.Get("Sec-Websocket-Extensions"); got != row.answer {
			t.Errorf("%s: answered with %q, want %q", row.at, got, row.answer)
		}
		c.SendText(strings.Repeat("hello ", 100))
		for i := range int64(2) {
			first, err := c.In.ReadByte()
			if err == nil {
				err = skipFrame(c.In)
			}
			if compressed := first&websockettest.RSV1 != 0; err != nil || compressed != (i < row.compressed) {
				t.Fatalf("%s: message %d: compressed: %v, %v", row.at, i, compressed, err)
			}
		}
		c.Close(consumer.CloseNormal, "")
		if n := server.Stats().Compression.MessagesOut - before; n != row.compressed {
			t.Errorf("%s: %d messages were compressed, want %d", row.at, n, row.compressed)
		}
	}
	if !onlyText(consumer.Binary([]byte("image"))) || onlyText(consumer.Text("text")) {
		t.Error("onlyText leaves out text")
	}
}

// skipFrame reads the rest of a frame of less than 64 KiB, behind its first byte.
func skipFrame(r *bufio.Reader) error {
	b, err := r.ReadByte()
	n := int(b)
	if n == 126 {
		var size [2]byte
		_, err = io.ReadFull(r, size[:])
		n = int(binary.BigEndian.Uint16(size[:]))
	}
	if err != nil {
		return err
	}
	_, err = r.Discard(n)
	return err
}
