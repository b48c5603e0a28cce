package websocket_test

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol"
)

// slowLink returns a listener and how to reach it, over a link that carries so many bits
// a second away from the listener.
func slowLink(t *testing.T, rate int) (net.Listener, func() net.Conn) {
	t.Helper()
	here, there := testkit.NewNamespace(t), testkit.NewNamespace(t)
	here.LinkTo(t, there)
	here.Sh(t, fmt.Sprintf("tc qdisc add dev near root tbf rate %dbit burst 4kb limit 30kb", rate))
	var l net.Listener
	var err error
	here.Run(func() { l, err = new(net.ListenConfig).Listen(t.Context(), "tcp", "10.0.0.1:0") })
	if err != nil {
		t.Fatal(err)
	}
	return &largeBuffers{l}, func() (nc net.Conn) {
		there.Run(func() { nc, err = (&net.Dialer{Timeout: patience}).DialContext(t.Context(), "tcp", l.Addr().String()) })
		if err != nil {
			t.Fatal(err)
		}
		// What has come over the link and is not read is old as well: there is little of
		// it, so that a machine with no time for the reader does not fail the test.
		if err := nc.(*net.TCPConn).SetReadBuffer(8 << 10); err != nil {
			t.Fatal(err)
		}
		return nc
	}
}

// largeBuffers gives each connection the send buffer that the kernel gives fast ones.
type largeBuffers struct{ net.Listener }

func (l *largeBuffers) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err == nil {
		err = nc.(*net.TCPConn).SetWriteBuffer(1 << 20)
	}
	return nc, err
}

// TestKeyedMessagesOverASlowLink sends a key's new values much faster than the link
// carries them: the peer gets few old ones before it has the newest.
func TestKeyedMessagesOverASlowLink(t *testing.T) {
	t.Parallel()
	const size = kib
	warm := testkit.Count(500, 200) // messages that the peer reads while more are sent
	const most = 150                // old ones that it gets then: what is on its way, and little that waits in the kernel
	for name, secure := range map[string]bool{"TCP": false, "TLS": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, dial := slowLink(t, 4_000_000)
			app, opened := conns()
			s := newServer(app, nil)
			hs := httptest.NewUnstartedServer(s.Server)
			hs.Listener.Close()
			hs.Listener = l
			hs.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
			s.dial = dial
			if secure {
				hs.StartTLS()
				s.dial = func() net.Conn {
					return tls.Client(dial(), &tls.Config{InsecureSkipVerify: true})
				}
			} else {
				hs.Start()
			}
			t.Cleanup(func() {
				s.wantEmpty(t)
				hs.Close()
			})
			p := s.open(t)
			c := <-opened
			stop, newest := make(chan struct{}), make(chan string, 1)
			go func() { newest <- sendsKeyed(t, c, size, stop) }()
			for range warm {
				p.Next()
			}
			close(stop)
			last := <-newest
			old := 0
			for !strings.HasPrefix(p.Next().Payload, last) {
				old++
				if old > most {
					t.Fatalf("%d old messages came after the last was sent, and it is still not there", old)
				}
			}
			t.Logf("%d old messages came after the last was sent", old)
			if n := s.Stats().MessagesConflated; n == 0 {
				t.Error("nothing was conflated")
			}
			p.closes()
		})
	}
}

// sendsKeyed sends messages with numbers under one key until stop is closed, and as fast
// as it can. It returns the last one's number.
func sendsKeyed(t *testing.T, c *protocol.Conn, size int, stop <-chan struct{}) (last string) {
	t.Helper()
	for i := 0; ; i++ {
		last = fmt.Sprintf("%d ", i)
		m := protocol.Message{Data: []byte(last + strings.Repeat("x", size-len(last))), Key: "key"}
		if err := c.Send(t.Context(), m); err != nil {
			t.Error(err)
			return last
		}
		select {
		case <-stop:
			return last
		default:
			runtime.Gosched() // to the writer
		}
	}
}
