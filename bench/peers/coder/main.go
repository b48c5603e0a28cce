// Command coder is the server that users of coder/websocket write: an echo, and rooms
// with a queue and a writing goroutine for each member, as in the library's chat example.
//
//	go run ./peers/coder -addr 127.0.0.1:9005
package main

import (
	"context"
	"net/http"

	"github.com/coder/websocket"

	"github.com/wye-go/wye/bench/internal/peer"
)

// queue is how many messages may wait for a member. In the chat example it is 16, which
// is as many as the load generator has under way.
const queue = 256

// member is a connection in a room.
type member struct {
	conn *websocket.Conn
	msgs chan message
}

type message struct {
	kind websocket.MessageType
	data []byte
}

var rooms peer.Rooms[*member] // shared by all requests

var deflate = peer.DeflateFlag()

// modes are the library's words for a peer.Deflate.
var modes = map[peer.Deflate]websocket.CompressionMode{
	peer.Off:        websocket.CompressionDisabled,
	peer.On:         websocket.CompressionContextTakeover,
	peer.NoTakeover: websocket.CompressionNoContextTakeover,
}

func main() { peer.Main("127.0.0.1:9005", serve) }

func serve(w http.ResponseWriter, r *http.Request, path peer.Path) {
	c, err := websocket.Accept(w, r, &websocket.AcceptOptions{CompressionMode: modes[*deflate], CompressionThreshold: peer.Threshold})
	if err != nil {
		return // it has answered
	}
	defer func() { _ = c.CloseNow() }() //nolint:errcheck // it is closed
	c.SetReadLimit(peer.MaxMessage)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if path.Room != "" {
		m := &member{c, make(chan message, queue)}
		rooms.Join(path.Room, m)
		defer rooms.Leave(path.Room, m)
		go m.write(ctx)
	}
	for {
		kind, b, err := c.Read(ctx)
		if err != nil {
			return
		}
		path.Work(b)
		if path.Speaks() {
			rooms.Each(path.Room, func(to *member) { to.queue(message{kind, b}) })
			continue
		}
		if err := c.Write(ctx, kind, b); err != nil {
			return
		}
	}
}

// queue drops a member that does not read.
func (m *member) queue(msg message) {
	select {
	case m.msgs <- msg:
	default:
		go func() { _ = m.conn.Close(websocket.StatusPolicyViolation, "too slow") }() //nolint:errcheck // it may be closed
	}
}

func (m *member) write(ctx context.Context) {
	for {
		select {
		case msg := <-m.msgs:
			if m.conn.Write(ctx, msg.kind, msg.data) != nil {
				return
			}
		case <-ctx.Done():
			return
		}
	}
}
