package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/protocol/websocket/websockettest"
)

// load is a number of clients that send messages without end, each to one of some
// rooms, and the messages that were acknowledged.
type load struct {
	addr  string
	rooms []string
	many  chan struct{} // closed when enough messages are acknowledged
	over  sync.WaitGroup

	mu    sync.Mutex
	tags  int
	acked map[string]said // by tag
}

// said is an acknowledged message.
type said struct {
	room string
	seq  int64
}

func startLoad(addr string, people, enough int) *load {
	l := &load{addr: addr, rooms: []string{"1", "2", "3"}, many: make(chan struct{}), acked: map[string]said{}}
	for i := range people {
		l.over.Go(func() { l.person(l.rooms[i%len(l.rooms)], enough) })
	}
	return l
}

// person connects as one guest after another, so that it stays below the limits: each
// guest sends five messages. It returns when the server has stopped.
func (l *load) person(room string, enough int) {
	for {
		conn, in, err := l.guest(room)
		if err != nil {
			return
		}
		mine := map[string]bool{}
		for range 5 {
			tag := l.tag()
			mine[tag] = true
			b, err := json.Marshal(request{Type: "say", Tag: tag, Text: "message " + tag})
			if err != nil {
				break
			}
			if _, err := conn.Write(websockettest.Text(string(b)).Masked()); err != nil {
				break
			}
		}
		for len(mine) > 0 {
			f, err := websockettest.ReadFrame(in)
			if err != nil || f.First == websockettest.FIN|websockettest.OpClose {
				break
			}
			var g got
			if json.Unmarshal([]byte(f.Payload), &g) == nil && g.Type == "message" && mine[g.Tag] {
				delete(mine, g.Tag)
				l.ack(g.Tag, said{room, g.Seq}, enough)
			}
		}
		conn.Close()
		if len(mine) > 0 {
			return
		}
	}
}

// guest opens a connection as the page does. An error means that the server has
// stopped.
func (l *load) guest(room string) (net.Conn, *bufio.Reader, error) {
	conn, err := net.DialTimeout("tcp", l.addr, patience)
	if err != nil {
		return nil, nil, err
	}
	_ = conn.SetDeadline(time.Now().Add(patience))
	in := bufio.NewReader(conn)
	_, err = io.WriteString(conn, websockettest.Request("/ws/"+room+"/", "Host: "+l.addr, "Sec-WebSocket-Protocol: "+subprotocol))
	if err == nil {
		_, err = http.ReadResponse(in, nil) //nolint:bodyclose // a 101 has none
	}
	if err != nil {
		conn.Close()
	}
	return conn, in, err
}

func (l *load) tag() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tags++
	return fmt.Sprint("t", l.tags)
}

func (l *load) ack(tag string, s said, enough int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.acked[tag] = s
	if len(l.acked) == enough {
		close(l.many)
	}
}

// enough waits until enough messages are acknowledged.
func (l *load) enough(t *testing.T) {
	t.Helper()
	select {
	case <-l.many:
	case <-time.After(patience):
		t.Fatal("too little was acknowledged")
	}
}

// wantStored checks that each acknowledged message is stored once, at its position, and
// that positions have no gaps.
func (l *load) wantStored(t *testing.T, file string) {
	t.Helper()
	s, err := openStore(t.Context(), databaseOf(file, false), func(string, Message) {})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	stored := map[string]said{}
	for _, room := range l.rooms {
		for i, m := range everything(t, s, room) {
			if m.Seq != int64(i+1) {
				t.Fatalf("room %s: message %d is in place %d", room, i+1, m.Seq)
			}
			if at, twice := stored[m.Tag]; twice || m.Text != "message "+m.Tag {
				t.Errorf("room %s: message %d is %+v; it is also %v", room, i+1, m, at)
			}
			stored[m.Tag] = said{room, m.Seq}
		}
	}
	for tag, at := range l.acked {
		if stored[tag] != at {
			t.Errorf("%s was acknowledged as %v, and %v is stored", tag, at, stored[tag])
		}
	}
	t.Logf("%d were said, %d acknowledged and %d stored", l.tags, len(l.acked), len(stored))
}

// testCrash kills the program under load and starts it again. A client sends its
// unacknowledged messages again.
func testCrash(t *testing.T) {
	t.Parallel()
	file := db(t)
	chat := startProgram(t, file...)
	ann := named(t, chat, "Ann")
	say := func(to *websockettest.Client, i int) {
		b, err := json.Marshal(request{Type: "say", Tag: fmt.Sprint("ann-", i), Text: fmt.Sprint("message ann-", i)})
		if err != nil {
			t.Fatal(err)
		}
		to.SendText(string(b))
	}
	l := startLoad(chat.Addr, 8, 150)
	l.enough(t)
	first := websockettest.Dial(t, chat.WS("/ws/1/"), ann)
	for i := range 5 {
		say(first, i)
	}
	chat.Kill(t)
	l.over.Wait()

	again := startProgramAt(t, chat.Addr, file...)
	second := websockettest.Dial(t, again.WS("/ws/1/"), ann)
	for i := range 5 {
		say(second, i)
	}
	for mine := 0; mine < 5; {
		var g got
		if err := json.Unmarshal([]byte(second.Text()), &g); err != nil || g.Type == "refused" {
			t.Fatalf("got %+v (%v)", g, err)
		}
		if g.Type == "message" && g.From.Name == "Ann" {
			l.acked[g.Tag] = said{"1", g.Seq}
			mine++
		}
	}
	second.Close(consumer.CloseNormal, "")
	again.Terminate(t)
	again.WantExit(t)
	l.wantStored(t, file[1])
}

// named returns the handshake header of a person with a name, for the page's
// subprotocol.
func named(t *testing.T, chat *process, who string) http.Header {
	t.Helper()
	a := do(t, http.MethodPost, chat.HTTP("/me"), name(who))
	cookie, _, _ := strings.Cut(a.Header.Get("Set-Cookie"), ";")
	if a.Status != http.StatusOK || cookie == "" {
		t.Fatalf("choosing a name: %+v", a)
	}
	return http.Header{"Cookie": {cookie}, "Sec-Websocket-Protocol": {subprotocol}}
}

// testEnd stops the program under load.
func testEnd(t *testing.T) {
	t.Parallel()
	file := db(t)
	chat := startProgram(t, file...)
	l := startLoad(chat.Addr, 8, 150)
	l.enough(t)
	chat.Terminate(t)
	chat.WantExit(t)
	l.over.Wait()
	l.wantStored(t, file[1])
}
