// Command gorilla is the server that users of gorilla/websocket write: an echo, and
// rooms with a queue and a writing goroutine for each member, as in the library's chat
// example.
//
//	go run ./peers/gorilla -addr 127.0.0.1:9004
package main

import (
	"net/http"

	"github.com/gorilla/websocket"

	"github.com/wye-go/wye/bench/internal/peer"
)

// queue is how many messages may wait for a member, as in the chat example.
const queue = 256

// member is a connection in a room.
type member struct {
	conn *websocket.Conn
	send chan *websocket.PreparedMessage
}

var rooms peer.Rooms[*member] // as in the chat example

// deflate is without context takeover in any case: the library has none.
var deflate = peer.DeflateFlag()

func main() { peer.Main("127.0.0.1:9004", serve) }

func serve(w http.ResponseWriter, r *http.Request, path peer.Path) {
	upgrader := websocket.Upgrader{EnableCompression: *deflate != peer.Off}
	c, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return // it has answered
	}
	defer c.Close()
	c.SetReadLimit(peer.MaxMessage)
	answer := c.WriteMessage
	if path.Room != "" {
		m := &member{c, make(chan *websocket.PreparedMessage, queue)}
		rooms.Join(path.Room, m)
		go m.write()
		defer close(m.send)
		defer rooms.Leave(path.Room, m)
		answer = func(kind int, b []byte) error { return m.answer(path, kind, b) }
	}
	for {
		kind, b, err := c.ReadMessage()
		if err != nil {
			return
		}
		path.Work(b)
		if err := answer(kind, b); err != nil {
			return
		}
	}
}

// answer queues a message for the room, or for the member alone: only the goroutine of
// write may write.
func (m *member) answer(path peer.Path, kind int, b []byte) error {
	p, err := websocket.NewPreparedMessage(kind, b)
	if err != nil {
		return err
	}
	if !path.Speaks() {
		m.queue(p)
		return nil
	}
	rooms.Each(path.Room, func(to *member) { to.queue(p) })
	return nil
}

// queue drops a member that does not read.
func (m *member) queue(p *websocket.PreparedMessage) {
	select {
	case m.send <- p:
	default:
		m.conn.Close()
	}
}

func (m *member) write() {
	for p := range m.send {
		if m.conn.WritePreparedMessage(p) != nil {
			m.conn.Close()
		}
	}
}
