package websockettest

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol"
)

// silent is a server that stays, but says nothing more.
const silent = "..."

// script has the server read all that comes, and write says.
func script(server net.Conn, says []string) {
	go func() { _, _ = io.Copy(io.Discard, server) }()
	for _, s := range says {
		if s == silent {
			return
		}
		if _, err := io.WriteString(server, s); err != nil {
			return // the client has failed
		}
	}
	server.Close()
}

func wire(f Frame) string { return string(f.Unmasked()) }

// TestClientFails makes sure that what a server does wrong fails the test, with words
// that say what was expected.
func TestClientFails(t *testing.T) {
	t.Parallel()
	hello, bye := wire(Text("hello")), wire(Close(1000, "bye"))
	for _, row := range []struct {
		at   testkit.Line
		says []string
		test func(c *Client)
		want string // ""; the test passes
	}{
		{testkit.Here(), []string{hello}, func(c *Client) { c.WantText("hello") }, ""},
		{testkit.Here(), []string{hello}, func(c *Client) { c.Want(Binary("hello")) }, `got text "hello", want binary "hello"`},
		{testkit.Here(), []string{hello}, func(c *Client) { c.Want(Text("hello"), Ping("")) }, `waiting for ping "": the stream has ended`},
		{testkit.Here(), []string{silent}, func(c *Client) { c.WantText("hello") }, `waiting for text "hello": nothing within 30s`},
		{testkit.Here(), []string{silent}, func(c *Client) { c.Patience = time.Hour; c.Next() }, `waiting for a frame: nothing within 1h0m0s`},
		{testkit.Here(), []string{"\x81\x85"}, func(c *Client) { c.Next() }, `waiting for a frame: frame 0x81: a server's frame is masked`},
		{testkit.Here(), []string{hello[:3]}, func(c *Client) { c.Next() }, `waiting for a frame: frame 0x81 of 5 bytes: unexpected EOF`},
		{testkit.Here(), []string{hello}, func(c *Client) { c.Text() }, ""},
		{testkit.Here(), []string{bye}, func(c *Client) { c.Text() }, `got close 1000 "bye", want text`},
		{testkit.Here(), []string{bye}, func(c *Client) { c.WantClose(1001) }, `got close 1000 "bye", want a close with 1001`},
		{testkit.Here(), []string{"\x88\x00"}, func(c *Client) { c.WantClose(protocol.CloseNoStatus) }, ""},
		{testkit.Here(), []string{"\x88\x01a"}, func(c *Client) { c.WantClose(protocol.CloseNoStatus) }, `got close 1005 "", want a close with 1005`},
		{testkit.Here(), []string{bye}, func(c *Client) { c.WantClosed(1000) }, ""},
		{testkit.Here(), []string{bye, silent}, func(c *Client) { c.WantClosed(1000) }, `waiting for the end of the stream: nothing within 30s`},
		{testkit.Here(), []string{bye, hello}, func(c *Client) { c.WantClosed(1000) }, `got text "hello", want the end of the stream`},
		{testkit.Here(), []string{bye}, func(c *Client) { c.Close(1000, "") }, ""},
		{testkit.Here(), []string{hello, bye}, func(c *Client) { c.Close(1000, "") }, `got text "hello", want a close with 1000`},
		{testkit.Here(), []string{wire(Ping("?")), hello}, func(c *Client) { c.WantText("hello") }, `got ping "?", want text "hello"`},
		{testkit.Here(), []string{wire(Ping("?")), hello}, func(c *Client) { c.AnswerPings = true; c.WantText("hello") }, ""},
		{testkit.Here(), []string{accepted, hello}, func(c *Client) { c.Upgrade(Request("/")); c.WantText("hello") }, ""},
		{testkit.Here(), []string{accepted + hello}, func(c *Client) { c.Upgrade(Request("/")); c.WantText("hello") }, ""},
		{testkit.Here(), []string{accepted}, func(c *Client) { c.Upgrade(Request("/", "Sec-WebSocket-Key: eHh4eHh4eHh4eHh4eHh4eA==")) }, `the Sec-WebSocket-Accept for key "eHh4eHh4eHh4eHh4eHh4eA==" is "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="`},
		{testkit.Here(), []string{"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno"}, func(c *Client) { c.Upgrade(Request("/")) }, `the handshake was answered with 404 "no", want 101`},
		{testkit.Here(), []string{"HTTP/1.1 404 Not F"}, func(c *Client) { c.Upgrade(Request("/")) }, `waiting for the answer to a request: the stream has ended`},
		{testkit.Here(), []string{"hello\r\n\r\n"}, func(c *Client) { c.Handshake(Request("/")) }, `"hello\r\n\r\n" is not an answer to a request`},
		{testkit.Here(), nil, func(c *Client) { c.Conn.Close(); c.SendText("hello") }, "sending 11 bytes: io: read/write on closed pipe"},
	} {
		synctest.Test(t, func(t *testing.T) {
			failures, _ := testkit.Try(t.Context(), func(tb *testkit.Fake) {
				c, server := pair(tb)
				go script(server, row.says)
				row.test(c)
			})
			if row.want == "" && failures != "" || !strings.HasPrefix(failures, "websockettest: ") && failures != "" || !strings.Contains(failures, row.want) {
				t.Errorf("%s: failed with %q, want %q", row.at, failures, row.want)
			}
		})
	}
}

// TestClientSends is about the bytes that go out.
func TestClientSends(t *testing.T) {
	t.Parallel()
	c, server := pair(t)
	got := make(chan []byte)
	go func() {
		b, err := io.ReadAll(server)
		if err != nil {
			t.Error(err)
		}
		got <- b
	}()
	c.Send(Text("a"), Ping("b"))
	c.SendText("c")
	c.SendBytes([]byte("GET / HTTP"))
	c.SendBytes(Frame{First: FIN | RSV3 | 0x3}.Unmasked())
	c.Conn.Close()
	want := bytes.Join([][]byte{Text("a").Masked(), Ping("b").Masked(), Text("c").Masked(), []byte("GET / HTTP\x93\x00")}, nil)
	if b := <-got; !bytes.Equal(b, want) {
		t.Errorf("sent %q, want %q", b, want)
	}
}

// TestRead does not fail the test.
func TestRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, server := pair(t)
		go func() { _, _ = server.Write(Ping("?").Unmasked()) }()
		if f, err := c.Read(); f != Ping("?") || err != nil {
			t.Errorf("got %v, %v", f, err)
		}
		start := time.Now()
		if f, err := c.Read(); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != 30*time.Second {
			t.Errorf("got %v, %v after %v, want a deadline's error after 30 s", f, err, time.Since(start))
		}
		c.Patience = -1
		time.AfterFunc(24*time.Hour, func() { server.Close() })
		if f, err := c.Read(); !errors.Is(err, io.EOF) || time.Since(start) < 24*time.Hour {
			t.Errorf("got %v, %v after %v, want the end after a day", f, err, time.Since(start))
		}
	})
}

// TestHandshake is about a request that is refused, with the answer as it came.
func TestHandshake(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		at   testkit.Line
		says string
		want Answer
	}{
		{
			testkit.Here(), "HTTP/1.1 400 Bad Request\r\nConnection: close, Upgrade\r\nContent-Length: 5\r\n\r\nno way",
			Answer{400, http.Header{"Connection": {"close, Upgrade"}, "Content-Length": {"5"}}, "no wa", "HTTP/1.1 400 Bad Request\r\nConnection: close, Upgrade\r\nContent-Length: 5\r\n\r\n"},
		},
		{
			testkit.Here(), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n",
			Answer{200, http.Header{"Transfer-Encoding": {"chunked"}}, "no", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"},
		},
	} {
		c, server := pair(t)
		go script(server, strings.SplitAfter(row.says, "a")) // in pieces
		got := c.Handshake(Request("/"))
		if got.Status != row.want.Status || got.Body != row.want.Body || got.Head != row.want.Head || len(got.Header) != len(row.want.Header) {
			t.Errorf("%s: got %+v, want %+v", row.at, got, row.want)
		}
		for name := range row.want.Header {
			if got.Header.Get(name) != row.want.Header.Get(name) {
				t.Errorf("%s: %s is %q", row.at, name, got.Header.Get(name))
			}
		}
		if c.Answer.Head != got.Head {
			t.Errorf("%s: Answer is %+v", row.at, c.Answer)
		}
	}
}

func TestRequest(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		at   testkit.Line
		got  string
		want string
	}{
		{testkit.Here(), Request("/"), "GET / HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
			"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"},
		{testkit.Here(), Request("/a?b=c", "Origin: null", "host: a", "Host: b", "Connection: keep-alive", "Upgrade-Insecure-Requests: 1"),
			"GET /a?b=c HTTP/1.1\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
				"Origin: null\r\nhost: a\r\nHost: b\r\nConnection: keep-alive\r\nUpgrade-Insecure-Requests: 1\r\n\r\n"},
	} {
		if row.got != row.want {
			t.Errorf("%s: got %q, want %q", row.at, row.got, row.want)
		}
	}
}

// TestDialFails is about URLs, and about answers that are not the ones that were wanted.
func TestDialFails(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-No") != "" {
			w.WriteHeader(http.StatusTeapot)
			return
		}
		nc, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer nc.Close()
		_, _ = io.WriteString(nc, accepted)
	}))
	defer server.Close()
	failures, _ := testkit.Try(t.Context(), func(tb *testkit.Fake) {
		Dial(tb, server.URL, nil).WantEnd()
		if a := Refused(tb, server.URL, http.Header{"X-No": {"no"}}); a.Status != http.StatusTeapot {
			tb.Errorf("refused with %d", a.Status)
		}
		Refused(tb, server.URL, nil)
	})
	if want := "websockettest: " + server.URL + " was accepted, want a refusal"; failures != want {
		t.Errorf("failed with %q, want %q", failures, want)
	}
	for url, want := range map[string]string{
		"wss://example.com/": "give a URL of the schemes ws or http, or New a connection",
		"://":                "missing protocol scheme",
		"ws://127.0.0.1:1/":  "dialing ws://127.0.0.1:1/: ",
	} {
		failures, _ := testkit.Try(t.Context(), func(tb *testkit.Fake) { Dial(tb, url, nil) })
		if !strings.Contains(failures, want) {
			t.Errorf("%s: failed with %q, want %q", url, failures, want)
		}
	}
}
