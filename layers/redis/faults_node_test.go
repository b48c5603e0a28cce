package redis_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/layers/redis"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket"
	"github.com/wye-go/wye/protocol/websocket/websockettest"
)

// witness is the consumer of the fault tests: it says what happens to it, and does what its
// peer says.
type witness struct {
	consumer.Base
	node *node
	room string
}

func (w *witness) Connect(ctx context.Context, c *consumer.Conn) error { return c.Join(ctx, w.room) }

// Receive knows "say GROUP TEXT", "join GROUP", "stats", and "open", which is how many
// connections there are.
func (w *witness) Receive(ctx context.Context, c *consumer.Conn, m consumer.Message) error {
	words := strings.Fields(m.Text())
	var answer string
	switch words[0] {
	case "say":
		e := said.New(text{words[2]})
		answer = outcome("sent", c.GroupSend(ctx, words[1], e))
	case "join":
		answer = outcome("joined", c.Join(ctx, words[1]))
	case "stats":
		return c.SendJSON(ctx, c.Layer().Stats())
	case "open":
		answer = fmt.Sprint("open ", w.node.ws.Stats().Open)
	}
	return c.SendText(ctx, answer)
}

func outcome(good string, err error) string {
	switch {
	case err == nil:
		return good
	case errors.Is(err, layers.ErrDown):
		return "down"
	}
	return err.Error()
}

func (*witness) said(ctx context.Context, c *consumer.Conn, p text) error {
	return c.SendText(ctx, "said "+p.Text)
}

func (*witness) down(ctx context.Context, c *consumer.Conn, _ consumer.StateEvent) error {
	return c.SendText(ctx, "layer down")
}

func (*witness) up(ctx context.Context, c *consumer.Conn, _ consumer.StateEvent) error {
	return c.SendText(ctx, "layer up")
}

func (*witness) gap(ctx context.Context, c *consumer.Conn, e consumer.GapEvent) error {
	return c.SendText(ctx, "layer gap "+e.Group)
}

// node is a server with witnesses, in this process or in another one.
type node struct {
	ws   *websocket.Server // nil in another process
	dial func() (net.Conn, error)
}

// app returns the application of a node: its connections ask for the events of the layer, but
// not those with the query "deaf".
func (n *node) app() consumer.Application {
	newWitness := func(s *consumer.Scope) *witness { return &witness{node: n, room: s.Query().Get("room")} }
	deaf := consumer.New(newWitness, consumer.On(said, (*witness).said))
	watches := consumer.New(newWitness, consumer.On(said, (*witness).said), consumer.On(consumer.Down, (*witness).down),
		consumer.On(consumer.Up, (*witness).up), consumer.On(consumer.Gap, (*witness).gap))
	return protocol.Wrap(watches, func(s *protocol.Scope) (protocol.Handler, error) {
		if s.Query().Has("deaf") {
			return deaf.Open(s)
		}
		return watches.Open(s)
	})
}

// startNode starts a node in this process.
func startNode(t *testing.T, o redis.Options) *node {
	t.Helper()
	o.Logger = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	l := openLayer(t, o)
	n := &node{}
	n.ws = websocket.New(layers.Middleware(l)(n.app()), &websocket.Options{Logger: o.Logger})
	address := serve(t, n.ws)
	n.dial = func() (net.Conn, error) { return net.Dial("tcp", address) }
	return n
}

// childEnv holds the options of a node that is a process of its own, in JSON.
const childEnv = "WYE_REDIS_NODE"

// childOptions are those of a node that is a process of its own.
type childOptions struct {
	URLs   []string `json:"urls"`
	Prefix string   `json:"prefix"`
	Socket string   `json:"socket"`
}

// ranNode runs such a node if that is what this process is for. The node ends when its stdin
// is closed.
func ranNode() bool {
	text := os.Getenv(childEnv)
	if text == "" {
		return false
	}
	if err := runNode(text); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return true
}

func runNode(text string) error {
	var o childOptions
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		return err
	}
	slog.SetLogLoggerLevel(slog.LevelDebug)
	l, err := layers.Open(context.Background(), redis.New(redis.Options{URLs: o.URLs, Prefix: o.Prefix}))
	if err != nil {
		return err
	}
	n := &node{}
	n.ws = websocket.New(layers.Middleware(l)(n.app()), nil)
	listener, err := net.Listen("unix", o.Socket)
	if err != nil {
		return err
	}
	over := make(chan error, 1)
	go func() { over <- (&http.Server{Handler: n.ws, ReadHeaderTimeout: time.Minute}).Serve(listener) }()
	go func() { _, err := io.Copy(io.Discard, os.Stdin); over <- err }()
	fmt.Println("ready") //nolint:forbidigo // to the test
	return <-over
}

// child is a node in another process.
type child struct {
	*node
	cmd *exec.Cmd
	out testkit.Buffer
}

// startChild starts a node in another process, which ends with the test. run calls the
// function that starts it, in the thread where that has to be.
func startChild(t *testing.T, o redis.Options, run func(func())) *child {
	t.Helper()
	dir, err := os.MkdirTemp("", "node") //nolint:usetesting // the test's own may have too long a name for a socket
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "socket")
	options, err := json.Marshal(childOptions{o.URLs, o.Prefix, socket})
	if err != nil {
		t.Fatal(err)
	}
	c := &child{cmd: exec.Command(os.Args[0])}
	c.node = &node{dial: func() (net.Conn, error) { return net.Dial("unix", socket) }}
	c.cmd.Env = append(os.Environ(), childEnv+"="+string(options))
	c.cmd.Stderr = &c.out
	in, inErr := c.cmd.StdinPipe()
	out, outErr := c.cmd.StdoutPipe()
	if err := errors.Join(inErr, outErr); err != nil {
		t.Fatal(err)
	}
	run(func() { err = c.cmd.Start() })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		_ = c.cmd.Wait()
		_ = os.RemoveAll(dir)
		if t.Failed() {
			t.Logf("the node's process has ended: %v; it wrote:\n%s", c.cmd.ProcessState, c.out.String())
		}
	})
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "ready\n" {
		t.Fatalf("the node's process says %q, %v", line, err)
	}
	return c
}

// here runs f in this thread.
func here(f func()) { f() }

// person is the peer of a witness.
type person struct {
	t      *testing.T
	client *websockettest.Client
	early  []string // what came while something else was waited for
}

// connect connects a person to a room of a node. A person that is deaf has a consumer that
// does not ask for the events of the layer.
func (n *node) connect(t *testing.T, room string, deaf bool) *person {
	t.Helper()
	nc, err := n.dial()
	if err != nil {
		t.Fatal(err)
	}
	query := url.Values{"room": {room}}
	if deaf {
		query.Set("deaf", "")
	}
	p := &person{t: t, client: websockettest.New(t, nc)}
	p.client.Patience = time.Minute
	p.client.Upgrade(websockettest.Request("/?" + query.Encode()))
	p.client.AnswerPings = true
	return p
}

// await waits for a line. Lines that come before it are kept.
func (p *person) await(want string) {
	p.t.Helper()
	p.find("the line "+want, func(line string) bool { return line == want })
}

// find waits for a line that matches.
func (p *person) find(what string, match func(line string) bool) string {
	p.t.Helper()
	for i, line := range p.early {
		if match(line) {
			p.early = append(p.early[:i], p.early[i+1:]...)
			return line
		}
	}
	for {
		f, err := p.client.Read()
		if err != nil {
			p.t.Fatalf("waiting for %s: %v; what came is %q", what, err, p.early)
		}
		if f.First != websockettest.FIN|websockettest.OpText {
			p.t.Fatalf("waiting for %s: %v; what came is %q", what, f, p.early)
		}
		if match(f.Payload) {
			return f.Payload
		}
		p.early = append(p.early, f.Payload)
	}
}

// ask sends a command, whose answer must be this.
func (p *person) ask(command, want string) {
	p.t.Helper()
	p.client.SendText(command)
	p.await(want)
}

// stats returns the counters of the person's node.
func (p *person) stats() (s layers.Stats) {
	p.t.Helper()
	p.client.SendText("stats")
	line := p.find("statistics", func(line string) bool { return strings.HasPrefix(line, "{") })
	if err := json.Unmarshal([]byte(line), &s); err != nil {
		p.t.Fatal(err)
	}
	return s
}

// awaitOpen waits until the person's node has this many connections.
func (p *person) awaitOpen(want int) {
	p.t.Helper()
	end := time.Now().Add(time.Minute)
	for {
		p.client.SendText("open")
		got := p.find("a number", func(line string) bool { return strings.HasPrefix(line, "open ") })
		if got == fmt.Sprint("open ", want) {
			return
		}
		if time.Now().After(end) {
			p.t.Fatalf("the node says %q, want %d", got, want)
		}
	}
}

// serve serves WebSocket connections, and returns the address. The server is shut down at the
// end of the test.
func serve(t *testing.T, ws *websocket.Server) (address string) {
	t.Helper()
	server := httptest.NewServer(ws)
	t.Cleanup(func() {
		if err := ws.Shutdown(context.Background()); err != nil {
			t.Errorf("shutting down: %v", err)
		}
		server.Close()
	})
	return server.Listener.Addr().String()
}
