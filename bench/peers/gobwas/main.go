// Command gobwas is the server that users of gobwas/ws write with its package wsutil,
// without Wye: a goroutine per connection, as in the library's README, and rooms in which
// each message is compiled once, as in its chat example.
//
//	go run ./peers/gobwas -addr 127.0.0.1:9007
package main

import (
	"net"
	"net/http"
	"sync"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/wye-go/wye/bench/internal/peer"
)

// conn is a connection. The mutex is for its writes.
type conn struct {
	net.Conn

	mu sync.Mutex
}

var rooms peer.Rooms[*conn] // shared by all requests

func main() { peer.Main("127.0.0.1:9007", serve) }

func serve(w http.ResponseWriter, r *http.Request, path peer.Path) {
	nc, _, _, err := ws.UpgradeHTTP(r, w)
	if err != nil {
		return // it has answered
	}
	go read(&conn{Conn: nc}, path)
}

func read(c *conn, path peer.Path) {
	defer c.Close()
	rooms.Join(path.Room, c)
	defer rooms.Leave(path.Room, c)
	for {
		b, op, err := wsutil.ReadClientData(c)
		if err != nil {
			return
		}
		path.Work(b)
		if path.Speaks() {
			err = broadcast(path.Room, op, b)
		} else {
			err = c.answer(op, b)
		}
		if err != nil {
			return
		}
	}
}

func (c *conn) answer(op ws.OpCode, b []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return wsutil.WriteServerMessage(c, op, b)
}

func broadcast(room string, op ws.OpCode, b []byte) error {
	frame, err := ws.CompileFrame(ws.NewFrame(op, true, b))
	if err != nil {
		return err
	}
	rooms.Each(room, func(to *conn) {
		to.mu.Lock()
		defer to.mu.Unlock()
		_, _ = to.Write(frame) //nolint:errcheck // a broken connection shows when it is read
	})
	return nil
}
