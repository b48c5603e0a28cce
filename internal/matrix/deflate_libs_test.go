package matrix_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"testing"
	"time"

	coder "github.com/coder/websocket"
	gorilla "github.com/gorilla/websocket"
	"github.com/lxzan/gws"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/internal/testkit/wiretap"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket"
)

// compressing is a client library that compresses.
type compressing interface {
	// echo sends a message in pieces, and returns the next message that comes.
	echo(m wiretap.Message) (data string, binary bool, err error)
	// hangUp closes. It waits for the answer, except with gws, which closes its connection at once.
	hangUp() error
}

var errMessage = errors.New("a message")

// TestDeflateLibraries has the clients of Go libraries talk compressed to each engine, with the
// most and the least that they and the server can agree on.
func TestDeflateLibraries(t *testing.T) {
	t.Parallel()
	all := websocket.Compression{ServerTakeover: true, ClientTakeover: true, ServerWindowBits: 15}
	small := websocket.Compression{ServerTakeover: true, ClientTakeover: true, ServerWindowBits: 9, ClientWindowBits: 9, Level: 9}
	const plain = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
	type dial func(tb testing.TB, url string) compressing
	rows := []struct {
		at     testkit.Line
		dial   dial
		server websocket.Compression
		want   wiretap.Want
	}{
		{testkit.Here(), dialGorilla, all, wiretap.Want{Answer: plain}},
		{testkit.Here(), dialGorilla, websocket.Compression{}, wiretap.Want{Answer: plain}},
		{testkit.Here(), dialCoder(coder.CompressionContextTakeover), all, wiretap.Want{Answer: "permessage-deflate", ServerRefers: true, ClientRefers: true}},
		{testkit.Here(), dialCoder(coder.CompressionContextTakeover), websocket.Compression{}, wiretap.Want{Answer: plain}},
		{testkit.Here(), dialCoder(coder.CompressionContextTakeover), small, wiretap.Want{Answer: "permessage-deflate; client_no_context_takeover"}},
		{testkit.Here(), dialCoder(coder.CompressionNoContextTakeover), all, wiretap.Want{Answer: plain}},
		{testkit.Here(), dialGws(true, 15), all, wiretap.Want{Answer: "permessage-deflate", ServerRefers: true, ClientRefers: true}},
		{testkit.Here(), dialGws(true, 15), websocket.Compression{}, wiretap.Want{Answer: plain}},
		{testkit.Here(), dialGws(true, 15), small, wiretap.Want{Answer: "permessage-deflate; client_max_window_bits=9"}},
		{testkit.Here(), dialGws(true, 8), all, wiretap.Want{Answer: "permessage-deflate; server_max_window_bits=8; client_max_window_bits=8"}},
		{testkit.Here(), dialGws(true, 12), all, wiretap.Want{
			Answer: "permessage-deflate; server_max_window_bits=12; client_max_window_bits=12", ServerRefers: true, ClientRefers: true,
		}},
		{testkit.Here(), dialGws(false, 15), all, wiretap.Want{Answer: plain}},
	}
	for _, engine := range []websocket.Engine{websocket.EngineAuto, websocket.EngineGoroutine} {
		t.Run(engine.String(), func(t *testing.T) {
			t.Parallel()
			for _, row := range rows {
				t.Run(string(row.at), func(t *testing.T) {
					t.Parallel()
					limits := protocol.Limits{MaxMessage: 2 << 20, ReadAhead: 2 << 20, QueueBytes: 2 << 20}
					server := websocket.New(fakes.Echo(), &websocket.Options{Engine: engine, Compression: &row.server, Limits: limits})
					srv := httptest.NewServer(server)
					t.Cleanup(srv.Close)
					tap := wiretap.New(t, srv.Listener.Addr().String())
					c := row.dial(t, "ws://"+tap.Addr()+"/")
					for i, m := range wiretap.Messages() {
						data, binary, err := c.echo(m)
						if err != nil || data != m.Data || binary != m.Binary {
							t.Fatalf("message %d, of %d bytes: got %d bytes, binary: %v, %v", i, len(m.Data), len(data), binary, err)
						}
					}
					if err := c.hangUp(); err != nil {
						t.Errorf("closing: %v", err)
					}
					traffic := tap.Traffic(t)
					row.want.Fragments = true
					traffic.Check(t, row.want)
				})
			}
		})
	}
}

// pieces returns m.Data in its pieces.
func pieces(m wiretap.Message) (parts [][]byte) {
	rest, size := []byte(m.Data), len(m.Data)/m.Pieces
	for range m.Pieces - 1 {
		parts, rest = append(parts, rest[:size]), rest[size:]
	}
	return append(parts, rest)
}

// writePieces writes the pieces of m.
func writePieces(w io.WriteCloser, m wiretap.Message) error {
	for _, part := range pieces(m) {
		if _, err := w.Write(part); err != nil {
			return err
		}
	}
	return w.Close()
}

type gorillaClient struct{ c *gorilla.Conn }

func dialGorilla(tb testing.TB, url string) compressing {
	tb.Helper()
	d := gorilla.Dialer{EnableCompression: true, WriteBufferSize: 500} // so that there are many frames
	c, answer, err := d.DialContext(tb.Context(), url, nil)
	if err != nil {
		tb.Fatal(err)
	}
	answer.Body.Close()
	tb.Cleanup(func() { c.Close() })
	c.EnableWriteCompression(true)
	return gorillaClient{c}
}

func (g gorillaClient) echo(m wiretap.Message) (data string, binary bool, err error) {
	if err := g.c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return "", false, err
	}
	kind := gorilla.TextMessage
	if m.Binary {
		kind = gorilla.BinaryMessage
	}
	w, err := g.c.NextWriter(kind)
	if err == nil {
		err = writePieces(w, m)
	}
	if err != nil {
		return "", false, err
	}
	kind, b, err := g.c.ReadMessage()
	return string(b), kind == gorilla.BinaryMessage, err
}

func (g gorillaClient) hangUp() error {
	if err := g.c.WriteMessage(gorilla.CloseMessage, gorilla.FormatCloseMessage(1000, "")); err != nil {
		return err
	}
	if _, _, err := g.c.ReadMessage(); !gorilla.IsCloseError(err, 1000) {
		return fmt.Errorf("got no close with 1000, but %w", cmp.Or(err, errMessage))
	}
	return g.c.Close()
}

type coderClient struct{ c *coder.Conn }

func dialCoder(mode coder.CompressionMode) func(tb testing.TB, url string) compressing {
	return func(tb testing.TB, url string) compressing {
		tb.Helper()
		c, _, err := coder.Dial(tb.Context(), url, &coder.DialOptions{CompressionMode: mode, CompressionThreshold: 1}) //nolint:bodyclose // it is nil
		if err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(func() { _ = c.CloseNow() })
		c.SetReadLimit(-1)
		return coderClient{c}
	}
}

func (c coderClient) echo(m wiretap.Message) (data string, binary bool, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	kind := coder.MessageText
	if m.Binary {
		kind = coder.MessageBinary
	}
	w, err := c.c.Writer(ctx, kind)
	if err == nil {
		err = writePieces(w, m)
	}
	if err != nil {
		return "", false, err
	}
	kind, b, err := c.c.Read(ctx)
	return string(b), kind == coder.MessageBinary, err
}

func (c coderClient) hangUp() error { return c.c.Close(coder.StatusNormalClosure, "") }

// gwsClient is a client of gws, which calls it with what comes.
type gwsClient struct {
	gws.BuiltinEventHandler

	c      *gws.Conn
	events chan gwsEvent
}

type gwsEvent struct {
	data   string
	binary bool
	err    error
}

func dialGws(takeover bool, bits int) func(tb testing.TB, url string) compressing {
	return func(tb testing.TB, url string) compressing {
		tb.Helper()
		g := &gwsClient{events: make(chan gwsEvent, 10)}
		c, _, err := gws.NewClient(g, &gws.ClientOption{ //nolint:bodyclose // it is closed
			Addr: url,
			PermessageDeflate: gws.PermessageDeflate{
				Enabled: true, Level: 6, Threshold: 1, ServerContextTakeover: takeover, ClientContextTakeover: takeover,
				ServerMaxWindowBits: bits, ClientMaxWindowBits: bits,
			},
		})
		if err != nil {
			tb.Fatal(err)
		}
		g.c = c
		over := make(chan struct{})
		go func() { defer close(over); c.ReadLoop() }()
		tb.Cleanup(func() { _ = c.NetConn().Close(); <-over })
		return g
	}
}

// OnMessage is called for each message.
func (g *gwsClient) OnMessage(_ *gws.Conn, m *gws.Message) {
	defer m.Close()
	g.events <- gwsEvent{data: string(m.Bytes()), binary: m.Opcode == gws.OpcodeBinary}
}

// OnClose is called at the end.
func (g *gwsClient) OnClose(_ *gws.Conn, err error) { g.events <- gwsEvent{err: err} }

// echo sends a message of several pieces in fragments, as many as the library likes.
func (g *gwsClient) echo(m wiretap.Message) (data string, binary bool, err error) {
	opcode := gws.OpcodeText
	if m.Binary {
		opcode = gws.OpcodeBinary
	}
	if m.Pieces > 1 {
		err = g.c.WriteFile(opcode, bytes.NewReader([]byte(m.Data)))
	} else {
		err = g.c.WriteMessage(opcode, []byte(m.Data))
	}
	if err != nil {
		return "", false, err
	}
	select {
	case e := <-g.events:
		return e.data, e.binary, e.err
	case <-time.After(patience):
		return "", false, context.DeadlineExceeded
	}
}

func (g *gwsClient) hangUp() error {
	if err := g.c.WriteClose(1000, nil); err != nil {
		return err
	}
	if e := <-g.events; e.err == nil {
		return errMessage
	}
	return nil
}
