// Command gws is the server that users of lxzan/gws write: an echo, and rooms with the
// library's Broadcaster.
//
//	go run ./peers/gws -addr 127.0.0.1:9006
package main

import (
	"net/http"
	"sync"

	"github.com/lxzan/gws"

	"github.com/wye-go/wye/bench/internal/peer"
)

// pathKey is where a connection's session has its peer.Path.
const pathKey = "path"

type handler struct {
	gws.BuiltinEventHandler

	rooms peer.Rooms[*gws.Conn]
}

func pathOf(c *gws.Conn) peer.Path {
	v, _ := c.Session().Load(pathKey)
	if p, ok := v.(peer.Path); ok {
		return p
	}
	return peer.Path{}
}

// OnOpen joins the room.
func (h *handler) OnOpen(c *gws.Conn) { h.rooms.Join(pathOf(c).Room, c) }

// OnClose leaves it.
func (h *handler) OnClose(c *gws.Conn, _ error) { h.rooms.Leave(pathOf(c).Room, c) }

// OnMessage answers with the message, or sends it to the room.
func (h *handler) OnMessage(c *gws.Conn, m *gws.Message) {
	defer func() { _ = m.Close() }()
	path := pathOf(c)
	path.Work(m.Bytes())
	if !path.Speaks() {
		_ = c.WriteMessage(m.Opcode, m.Bytes()) //nolint:errcheck // a broken connection shows when it is read
		return
	}
	b := gws.NewBroadcaster(m.Opcode, m.Bytes())
	defer func() { _ = b.Close() }()
	h.rooms.Each(path.Room, func(to *gws.Conn) {
		_ = b.Broadcast(to, nil) //nolint:errcheck // likewise
	})
}

func upgrader(deflate peer.Deflate) *gws.Upgrader {
	return gws.NewUpgrader(&handler{}, &gws.ServerOption{
		CheckUtf8Enabled: true, ReadMaxPayloadSize: peer.MaxMessage,
		PermessageDeflate: gws.PermessageDeflate{
			Enabled: deflate != peer.Off, Threshold: peer.Threshold,
			ServerContextTakeover: deflate == peer.On, ClientContextTakeover: deflate == peer.On,
		},
	})
}

func main() {
	deflate := peer.DeflateFlag()
	up := sync.OnceValue(func() *gws.Upgrader { return upgrader(*deflate) }) // when the flags are read
	peer.Main("127.0.0.1:9006", func(w http.ResponseWriter, r *http.Request, path peer.Path) {
		c, err := up().Upgrade(w, r)
		if err != nil {
			return // it has answered
		}
		c.Session().Store(pathKey, path)
		go c.ReadLoop() // so that net/http's buffers can be collected
	})
}
