package matrix_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/internal/testkit/wiretap"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket"
)

// settings are those of permessage-deflate in a client, by the names that it has for them.
type settings map[string]any

// deflated is what the clients are told, and what must come of it.
type deflated struct {
	at     testkit.Line
	client settings
	server websocket.Compression
	want   wiretap.Want
}

// What servers can be told.
//
//nolint:gochecknoglobals // constants
var (
	noTakeover   = websocket.Compression{}
	takeover     = websocket.Compression{ServerTakeover: true, ClientTakeover: true, ServerWindowBits: 15}
	smallWindows = websocket.Compression{ServerTakeover: true, ClientTakeover: true, ServerWindowBits: 9, ClientWindowBits: 9, Level: 9}
)

const (
	answerPlain    = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
	answerTakeover = "permessage-deflate"
	answerSmall    = "permessage-deflate; client_max_window_bits=9"
)

// TestCompressionOfNode has the npm module ws talk compressed to each engine.
func TestCompressionOfNode(t *testing.T) {
	t.Parallel()
	testCompression(t, startNode, []deflated{
		{testkit.Here(), settings{"threshold": 1}, noTakeover, wiretap.Want{Answer: answerPlain}},
		{testkit.Here(), settings{"threshold": 1}, takeover, wiretap.Want{Answer: answerTakeover, ServerRefers: true, ClientRefers: true}},
		{testkit.Here(), settings{"threshold": 1}, smallWindows, wiretap.Want{Answer: answerSmall}},
		{
			testkit.Here(), settings{"threshold": 1, "serverNoContextTakeover": true, "clientNoContextTakeover": true}, takeover,
			wiretap.Want{Answer: answerPlain},
		},
		{
			testkit.Here(), settings{"threshold": 1, "serverMaxWindowBits": 9, "clientMaxWindowBits": 9}, takeover,
			wiretap.Want{Answer: "permessage-deflate; server_max_window_bits=9; client_max_window_bits=9"},
		},
		{
			testkit.Here(), settings{"threshold": 1, "serverMaxWindowBits": 12, "clientMaxWindowBits": 12}, takeover,
			wiretap.Want{Answer: "permessage-deflate; server_max_window_bits=12; client_max_window_bits=12", ServerRefers: true, ClientRefers: true},
		},
		{
			testkit.Here(), settings{"threshold": 1, "serverMaxWindowBits": 8, "clientNoContextTakeover": true}, takeover,
			wiretap.Want{Answer: "permessage-deflate; server_max_window_bits=8; client_no_context_takeover"},
		},
	})
}

// TestCompressionOfPython has the package websockets talk compressed to each engine.
func TestCompressionOfPython(t *testing.T) {
	t.Parallel()
	testCompression(t, startPython, []deflated{
		{testkit.Here(), settings{}, noTakeover, wiretap.Want{Answer: answerPlain}},
		{testkit.Here(), settings{}, takeover, wiretap.Want{Answer: answerTakeover, ServerRefers: true, ClientRefers: true}},
		{testkit.Here(), settings{}, smallWindows, wiretap.Want{Answer: answerSmall}},
		{
			testkit.Here(), settings{"server_no_context_takeover": true, "client_no_context_takeover": true}, takeover,
			wiretap.Want{Answer: answerPlain},
		},
		{
			testkit.Here(), settings{"server_max_window_bits": 8, "client_max_window_bits": 9}, takeover,
			wiretap.Want{Answer: "permessage-deflate; server_max_window_bits=8; client_max_window_bits=9"},
		},
		{
			testkit.Here(), settings{"server_max_window_bits": 12, "client_max_window_bits": 12}, takeover,
			wiretap.Want{Answer: "permessage-deflate; server_max_window_bits=12; client_max_window_bits=12", ServerRefers: true, ClientRefers: true},
		},
		{
			testkit.Here(), settings{"client_max_window_bits": nil, "compress_settings": settings{"level": 9, "memLevel": 9}}, takeover,
			wiretap.Want{Answer: answerTakeover, ServerRefers: true, ClientRefers: true},
		},
	})
}

// TestCompressionOfChromium has a page talk compressed to each engine. A page cannot choose
// what its browser offers.
func TestCompressionOfChromium(t *testing.T) {
	t.Parallel()
	page := startPage(t)
	var all []any
	for _, m := range wiretap.Messages() {
		all = append(all, []any{m.Binary, base64.StdEncoding.EncodeToString([]byte(m.Data))})
	}
	messages, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []deflated{
		{testkit.Here(), nil, noTakeover, wiretap.Want{Answer: answerPlain}},
		{testkit.Here(), nil, takeover, wiretap.Want{Answer: answerTakeover, ServerRefers: true, ClientRefers: true}},
		{testkit.Here(), nil, smallWindows, wiretap.Want{Answer: answerSmall}},
	} {
		for _, engine := range engines {
			tap := serveCompressed(t, engine, &row.server)
			script := fmt.Sprintf(pageEchoes, "ws://"+tap.Addr()+"/", messages)
			if err := chromedp.Do(page, chromedp.Evaluate[chromedp.Void](script, chromedp.EvalAwaitPromise)); err != nil {
				t.Fatalf("%s: %s: %v", row.at, engine, err)
			}
			traffic := tap.Traffic(t)
			traffic.Check(t, row.want)
		}
	}
}

// pageEchoes is a script for an URL and messages. It fails if one does not come back.
const pageEchoes = `(async (url, messages) => {
	const ws = new WebSocket(url);
	ws.binaryType = "arraybuffer";
	const event = (name) => new Promise((resolve, reject) => {
		ws["on" + name] = resolve;
		if (name !== "close") ws.onclose = (e) => reject(new Error("closed: " + e.code + " " + e.reason));
	});
	await event("open");
	if (!ws.extensions.startsWith("permessage-deflate")) throw new Error("extensions: " + ws.extensions);
	for (const [i, [binary, base64]] of messages.entries()) {
		const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
		const text = new TextDecoder().decode(bytes);
		ws.send(binary ? bytes : text);
		const { data } = await event("message");
		const same = binary
			? data.byteLength === bytes.length && new Uint8Array(data).every((b, k) => b === bytes[k])
			: data === text;
		if (!same) throw new Error("message " + i + " is different");
	}
	ws.close(1000);
	await event("close");
})(%q, %s)`

//nolint:gochecknoglobals // a constant
var engines = []websocket.Engine{websocket.EngineAuto, websocket.EngineGoroutine}

// serveCompressed serves an echo behind a tap.
func serveCompressed(t *testing.T, engine websocket.Engine, c *websocket.Compression) *wiretap.Tap {
	t.Helper()
	srv := httptest.NewServer(websocket.New(fakes.Echo(), &websocket.Options{
		Engine: engine, Compression: c, InsecureAllowAnyOrigin: true,
		Limits: protocol.Limits{MaxMessage: 2 << 20, ReadAhead: 2 << 20, QueueBytes: 2 << 20},
	}))
	t.Cleanup(srv.Close)
	return wiretap.New(t, srv.Listener.Addr().String())
}

// testCompression has a client echo all messages, in each row and engine.
func testCompression(t *testing.T, start func(t *testing.T) *script, rows []deflated) {
	t.Helper()
	client := start(t)
	for _, engine := range engines {
		for _, row := range rows {
			tap := serveCompressed(t, engine, &row.server)
			t.Log(engine, row.at)
			client.do("connect", "ws://"+tap.Addr()+"/", row.client)
			for _, m := range wiretap.Messages() {
				client.do("echo", m.Binary, base64.StdEncoding.EncodeToString([]byte(m.Data)), m.Pieces)
			}
			client.close()
			traffic := tap.Traffic(t)
			row.want.Fragments = true
			traffic.Check(t, row.want)
		}
	}
	client.end()
}
