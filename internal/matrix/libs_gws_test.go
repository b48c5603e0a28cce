package matrix_test

import (
	"net/http"
	"sync"
	"time"

	"github.com/lxzan/gws"
)

// chatEvents is a chat of gws.
type chatEvents struct {
	gws.BuiltinEventHandler

	mu    sync.Mutex
	rooms map[string]map[*gws.Conn]bool
}

func (e *chatEvents) OnOpen(c *gws.Conn) {
	room := roomOf(c)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.rooms[room] == nil {
		e.rooms[room] = map[*gws.Conn]bool{}
	}
	e.rooms[room][c] = true
	_ = c.SetDeadline(time.Now().Add(pongWait))
}

func (e *chatEvents) OnClose(c *gws.Conn, _ error) {
	room := roomOf(c)
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.rooms[room], c)
	if len(e.rooms[room]) == 0 {
		delete(e.rooms, room)
	}
}

func (e *chatEvents) OnPing(c *gws.Conn, payload []byte) {
	_ = c.SetDeadline(time.Now().Add(pongWait))
	_ = c.WritePong(payload)
}

func (e *chatEvents) OnMessage(c *gws.Conn, m *gws.Message) {
	defer m.Close()
	b := gws.NewBroadcaster(m.Opcode, m.Bytes())
	defer b.Close()
	e.mu.Lock()
	defer e.mu.Unlock()
	for other := range e.rooms[roomOf(c)] {
		_ = b.Broadcast(other, nil)
	}
}

func roomOf(c *gws.Conn) string {
	room, _ := c.Session().Load("room")
	name, _ := room.(string)
	return name
}

func gwsChat() http.Handler {
	u := gws.NewUpgrader(&chatEvents{rooms: map[string]map[*gws.Conn]bool{}}, &gws.ServerOption{
		Authorize: func(r *http.Request, session gws.SessionStorage) bool {
			session.Store("room", r.PathValue("room"))
			return true
		},
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := u.Upgrade(w, r)
		if err != nil {
			return
		}
		go c.ReadLoop()
	})
}
