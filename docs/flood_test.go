package docs_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket"
	"github.com/wye-go/wye/protocol/websocket/websockettest"
	"github.com/wye-go/wye/router"
)

// floodEnv makes the test program one that runs TestFloodHere.
const floodEnv = "WYE_TEST_FLOOD"

// TestFlood runs TestFloodHere in processes of their own, with one processor and with
// many: GOMAXPROCS cannot be changed while other tests run.
func TestFlood(t *testing.T) {
	t.Parallel()
	for _, procs := range []string{"1", "8"} {
		t.Run("GOMAXPROCS="+procs, func(t *testing.T) {
			t.Parallel()
			child := exec.CommandContext(t.Context(), os.Args[0],
				"-test.run=^TestFloodHere$", "-test.v", fmt.Sprintf("-test.short=%t", testing.Short()))
			child.Env = append(os.Environ(), floodEnv+"=1", "GOMAXPROCS="+procs)
			if out, err := child.CombinedOutput(); err != nil || !bytes.Contains(out, []byte("--- PASS: TestFloodHere")) {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// TestFloodHere sends bursts with the default limits: no peer that reads is closed, and
// each receives every message.
func TestFloodHere(t *testing.T) {
	if os.Getenv(floodEnv) == "" {
		t.Skip("it is run by TestFlood")
	}
	for _, n := range []int{150, testkit.Count(10_000, 2000)} {
		t.Run(fmt.Sprintf("%d messages in one write", n), func(t *testing.T) { floodChat(t, n) })
	}
	t.Run("two broadcasts of 1 MB", func(t *testing.T) {
		m := protocol.Binary(bytes.Repeat([]byte("m"), 1<<20))
		floodGroup(t, testkit.Count(50, 10), 2, func(ctx context.Context, l *layers.Layer) error { return l.Broadcast(ctx, "all", m) })
	})
	events := 500
	if runtime.GOMAXPROCS(0) == 1 {
		events = testkit.Count(50_000, 5000) // the members run only because the sender yields
	}
	t.Run("events to five", func(t *testing.T) {
		floodGroup(t, 5, events, func(ctx context.Context, l *layers.Layer) error {
			return l.GroupSend(ctx, "all", Said.New(Line{"x"}))
		})
	})
	for _, n := range []int{101, testkit.Count(5000, 1000)} {
		t.Run(fmt.Sprintf("%d events to one's own group", n), func(t *testing.T) { floodOneself(t, n) })
	}
}

// serveFlooded serves app. It returns the address and a function that returns the counters.
func serveFlooded(t *testing.T, app protocol.Application) (url string, stats func() websocket.Stats) {
	t.Helper()
	protocol := websocket.New(app, nil)
	server := httptest.NewServer(protocol)
	t.Cleanup(server.Close)
	return server.URL, protocol.Stats
}

// readers has each peer read a number of messages, and returns when all have read them.
func readers(t *testing.T, peers []*websockettest.Client, n int, what string) (wait func()) {
	t.Helper()
	var reading sync.WaitGroup
	for i, peer := range peers {
		reading.Go(func() {
			for got := range n {
				if _, err := peer.Read(); err != nil {
					t.Errorf("%s %d got %d of %d messages: %v", what, i, got, n, err)
					return
				}
			}
		})
	}
	return reading.Wait
}

func dialAll(t *testing.T, n int, url string) (peers []*websockettest.Client) {
	t.Helper()
	for range n {
		c := websockettest.Dial(t, url, nil)
		c.Patience = time.Minute // on a busy machine, under the race detector
		peers = append(peers, c)
	}
	return peers
}

// floodChat has one of eleven peers in the chat of README.md send n messages at once.
func floodChat(t *testing.T, n int) {
	t.Helper()
	url, stats := serveFlooded(t, router.NewURLRouter(router.RePath(`^ws/(?P<group>\w+)/$`,
		consumer.New(NewChat, consumer.On(Said, (*Chat).said)))))
	peers := dialAll(t, 11, url+"/ws/tea/")
	wait := readers(t, peers, n, "peer")
	peers[0].SendBytes(bytes.Repeat(websockettest.Text("x").Masked(), n))
	wait()
	if st := stats(); st.Open != 11 || st.BusyClosed+st.SlowClosed+st.EventsDropped+st.MessagesDropped != 0 {
		t.Errorf("counted %+v", st)
	}
}

// listening joins a group and sends its events to the peer.
type listening struct{ consumer.Base }

func (listening) said(ctx context.Context, c *consumer.Conn, l Line) error {
	return c.SendText(ctx, l.Text)
}

// floodGroup sends n times to a group that many peers read from.
func floodGroup(t *testing.T, members, n int, send func(ctx context.Context, l *layers.Layer) error) {
	t.Helper()
	l := new(layers.Layer)
	app := consumer.New(func(*consumer.Scope) listening { return listening{} },
		consumer.Groups[listening]("all"), consumer.On(Said, listening.said))
	url, stats := serveFlooded(t, router.Use(app, layers.Middleware(l)))
	wait := readers(t, dialAll(t, members, url), n, "member")
	for range n {
		if err := send(t.Context(), l); err != nil {
			t.Fatal(err)
		}
	}
	wait()
	if st := stats(); st.Open != int64(members) || st.BusyClosed+st.SlowClosed+st.EventsDropped+st.MessagesDropped != 0 {
		t.Errorf("counted %+v", st)
	}
}

// echoing sends to its own group in a callback.
type echoing struct {
	listening
	n int
}

func (e echoing) Receive(ctx context.Context, c *consumer.Conn, m consumer.Message) error {
	for range e.n {
		if err := c.GroupSend(ctx, "all", Said.New(Line{m.Text()})); err != nil {
			return err
		}
	}
	return nil
}

// floodOneself has a callback send n events to a group that its connection is in.
func floodOneself(t *testing.T, n int) {
	t.Helper()
	app := consumer.New(func(*consumer.Scope) echoing { return echoing{n: n} }, consumer.Groups[echoing]("all"),
		consumer.On(Said, func(e echoing, ctx context.Context, c *consumer.Conn, l Line) error { return e.said(ctx, c, l) }))
	url, stats := serveFlooded(t, router.Use(app, layers.Middleware(new(layers.Layer))))
	peers := dialAll(t, 1, url)
	wait := readers(t, peers, n, "the peer")
	peers[0].SendText(strings.Repeat("x", 10))
	wait()
	if st := stats(); st.Open != 1 || st.BusyClosed+st.EventsDropped != 0 {
		t.Errorf("counted %+v", st)
	}
}
