package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/protocol/websocket/websockettest"
)

// TestClients has clients in Go, JavaScript and Python and the page in one room.
func TestClients(t *testing.T) {
	t.Parallel()
	node, python := startNode(t), startPython(t)
	chat := startProgram(t, db(t)...)
	eve := websockettest.Dial(t, chat.WS("/ws/456/"), nil)
	eve.Text() // her greeting
	gopher := &gopher{t: t}
	r := &talk{t: t, url: chat.WS("/ws/123/"), page: websockettest.Dial(t, chat.WS("/ws/123/"), named(t, chat, "Ann"))}
	if g := r.next(); g.Type != "welcome" || g.You.Name != "Ann" {
		t.Fatalf("the page got %+v, want a welcome", g)
	}
	makes := []client{gopher, node, python}
	for _, c := range makes {
		r.enter(c)
	}

	long := strings.Repeat("привет🙂, ", maxText/9)
	long = strings.TrimSpace(long) + strings.Repeat("x", maxText-utf8.RuneCountInString(strings.TrimSpace(long)))
	// All clients get each message.
	for i := range r.there {
		r.say(i, "hello", "hello")
		r.say(i, "Grüße, 你好, שלום, 🙋🏽‍♀️ and \U0010FFFF, \x00\x1b[1mclean\r\nin two lines",
			"Grüße, 你好, שלום, 🙋🏽‍♀️ and , [1mclean\nin two lines") // without invalid characters
		r.say(i, long, long)
	}
	r.pageSays("hello, all of you", "")

	// Refused messages reach no other client, nor do direct messages.
	for i, c := range r.there {
		c.send(" ")
		c.text("* There is nothing in that message.")
		c.send(strings.Repeat("x", maxText+1))
		c.text("* That message is too long: 2000 characters are the most.")
		r.pageSays("psst", r.names[i])
		c.text("Ann (only to you): psst")
		c.ping("are you there?")
	}

	// A binary message closes its connection only. A client that reconnects gets the
	// history.
	for range makes {
		c := r.there[0]
		c.binary()
		r.gone()
		r.enter(c)
	}
	for _, s := range []*script{node, python} {
		s.do("refused", chat.WS("/ws/123"), 404, "did you mean the same with a slash at the end?")
		s.do("refused", chat.WS("/ws/a.b/"), 404, `nothing is served at "/ws/a.b/"`)
	}
	for range makes {
		r.there[0].close()
		r.gone()
	}
	node.end()
	python.end()
	r.page.Close(consumer.CloseNormal, "")
	eve.SendText("did I miss anything?")
	if line := eve.Text(); !strings.HasSuffix(line, ": did I miss anything?") { // she has received nothing before
		t.Errorf("in another room somebody heard %q", line)
	}
	eve.Close(consumer.CloseNormal, "")
	chat.Terminate(t)
	chat.WantExit(t)
}

// client sends and receives text. Its methods fail the test on errors.
type client interface {
	connect(url string)
	send(text string)
	text(want string) // checks the next message
	ping(payload string)
	binary() // sends a binary message, for which the server closes the connection
	close()
}

// talk is a room with clients, and a page that sees their names.
type talk struct {
	t     *testing.T
	url   string
	page  *websockettest.Client
	there []client
	names []string // of the clients
	said  []string // as lines
}

func (r *talk) next() got {
	r.t.Helper()
	var g got
	if text := r.page.Text(); json.Unmarshal([]byte(text), &g) != nil {
		r.t.Fatalf("the page got %s", text)
	}
	return g
}

// hear checks that all clients receive a line.
func (r *talk) hear(line string) {
	r.t.Helper()
	for _, c := range r.there {
		c.text(line)
	}
}

// enter connects a client, and checks its greeting, its history, and the notices to the
// others.
func (r *talk) enter(c client) {
	r.t.Helper()
	c.connect(r.url)
	g := r.next()
	who := g.Who.Name
	if g.Type != "join" || !strings.HasPrefix(who, guest) {
		r.t.Fatalf("the page got %+v, want a guest's join", g)
	}
	r.hear("* " + who + " is here")
	there := []Person{{Name: "Ann", ID: "Ann"}}
	for _, name := range r.names {
		there = append(there, Person{Name: name, ID: name})
	}
	c.text("* You are " + who + " in room 123, " + company(there, Person{}) + ".")
	for _, line := range r.said {
		c.text(line)
	}
	r.there, r.names = append(r.there, c), append(r.names, who)
}

// gone checks the notices after the first client has left.
func (r *talk) gone() {
	r.t.Helper()
	who := r.names[0]
	r.there, r.names = r.there[1:], r.names[1:]
	r.hear("* " + who + " has left")
	if g := r.next(); g.Type != "leave" || g.Who.Name != who {
		r.t.Fatalf("the page got %+v, want that %s has left", g, who)
	}
}

// say sends a message from a client, and checks that everybody receives it.
func (r *talk) say(i int, text, heard string) {
	r.t.Helper()
	r.there[i].send(text)
	line := r.names[i] + ": " + strings.ReplaceAll(heard, "\n", "\n    ")
	r.said = append(r.said, line)
	r.hear(line)
	if g := r.next(); g.Type != "message" || g.From.Name != r.names[i] || g.Text != heard {
		r.t.Fatalf("the page got %+v, want %q", g, line)
	}
}

// pageSays sends a message from the page, to everybody or to one person.
func (r *talk) pageSays(text, to string) {
	r.t.Helper()
	b, err := json.Marshal(request{Type: "say", Text: text, Tag: text + to, To: to})
	if err != nil {
		r.t.Fatal(err)
	}
	r.page.SendText(string(b))
	if g := r.next(); g.Type != "message" || g.Text != text || g.Tag != text+to {
		r.t.Fatalf("the page got %+v, want its own", g)
	}
	if to == "" {
		r.said = append(r.said, "Ann: "+text)
		r.hear("Ann: " + text)
	}
}

// gopher is a client in Go.
type gopher struct {
	t *testing.T
	c *websockettest.Client
}

func (g *gopher) connect(url string) { g.t.Helper(); g.c = websockettest.Dial(g.t, url, nil) }
func (g *gopher) send(text string)   { g.t.Helper(); g.c.SendText(text) }
func (g *gopher) text(want string)   { g.t.Helper(); g.c.WantText(want) }
func (g *gopher) ping(payload string) {
	g.t.Helper()
	g.c.Send(websockettest.Ping(payload))
	g.c.Want(websockettest.Pong(payload))
}
func (g *gopher) close() { g.t.Helper(); g.c.Close(consumer.CloseNormal, "") }
func (g *gopher) binary() {
	g.t.Helper()
	g.c.Send(websockettest.Binary("\x00\xff"))
	g.c.WantClosed(consumer.CloseUnsupportedData)
}

// script is a client in another language. It executes one command at a time.
type script struct {
	t    *testing.T
	name string
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
	errs strings.Builder
}

const clients = "testdata/clients"

func startNode(t *testing.T) *script {
	t.Helper()
	node := findProgram(t, "node")
	module := filepath.Join(clients, "node_modules", "ws", "package.json")
	if _, err := os.Stat(module); err != nil {
		t.Fatalf("the npm module ws is not installed (%v); run npm ci in %s, or use go test -short", err, clients)
	}
	return startScript(t, "node", node, "ws.mjs")
}

func startPython(t *testing.T) *script {
	t.Helper()
	// The system's own Python has the system's packages.
	python := findProgram(t, "/usr/bin/python3")
	if out, err := exec.Command(python, "-c", "import websockets").CombinedOutput(); err != nil {
		t.Fatalf("the Python package websockets is not installed (%v); install it, or use go test -short\n%s", err, out)
	}
	return startScript(t, "python", python, "client.py")
}

func startScript(t *testing.T, name, interpreter, file string) *script {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute) // kills the client in the end
	t.Cleanup(cancel)
	s := &script{t: t, name: name, cmd: exec.CommandContext(ctx, interpreter, filepath.Join(clients, file))}
	s.cmd.Stderr = &s.errs
	in, err := s.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	s.in, s.out = in, bufio.NewReader(out)
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if s.cmd.ProcessState == nil { // end has not waited for it
			_ = s.cmd.Process.Kill()
			_ = s.cmd.Wait()
		}
	})
	return s
}

func (s *script) connect(url string)  { s.t.Helper(); s.do("connect", url) }
func (s *script) send(text string)    { s.t.Helper(); s.do("send", text) }
func (s *script) text(want string)    { s.t.Helper(); s.do("text", want) }
func (s *script) ping(payload string) { s.t.Helper(); s.do("ping", payload) }
func (s *script) binary()             { s.t.Helper(); s.do("binary", "00ff"); s.do("closed", 1003) }
func (s *script) close()              { s.t.Helper(); s.do("close", 1000) }

// do executes a command, and fails the test with the client's reason if the command
// fails. The client has timeouts of its own.
func (s *script) do(command ...any) {
	s.t.Helper()
	line, err := json.Marshal(command)
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := s.in.Write(append(line, '\n')); err != nil {
		s.t.Errorf("%s: %v", s.name, err)
	}
	s.answer(fmt.Sprintf("%.200q", line))
}

func (s *script) answer(to string) {
	s.t.Helper()
	var answer struct {
		Done string `json:"done"` // the command
		Why  string `json:"why"`  // the reason of a failure
	}
	line, err := s.out.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &answer)
	}
	if err != nil || answer.Done == "" {
		_ = s.cmd.Wait()
		s.t.Fatalf("%s: %s: %s %v (%v)\n%s", s.name, to, answer.Why, err, s.cmd.ProcessState, &s.errs)
	}
}

// end closes the standard input of the client, which must exit with 0.
func (s *script) end() {
	s.t.Helper()
	s.in.Close()
	rest, err := io.ReadAll(s.out)
	if err := errors.Join(err, s.cmd.Wait()); err != nil {
		s.t.Fatalf("%s: %v\n%s%s", s.name, err, rest, &s.errs)
	}
}
