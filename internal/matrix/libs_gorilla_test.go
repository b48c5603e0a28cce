package matrix_test

import (
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

type hub struct {
	upgrader websocket.Upgrader

	mu    sync.Mutex
	rooms map[string]map[*client]bool
}

type client struct {
	hub  *hub
	room string
	conn *websocket.Conn
	send chan []byte
}

func (h *hub) serve(w http.ResponseWriter, r *http.Request) {
	conn, err := h.upgrader.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	c := &client{hub: h, room: r.PathValue("room"), conn: conn, send: make(chan []byte, 256)}
	h.enter(c)
	go c.writePump()
	c.readPump()
}

func (h *hub) enter(c *client) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.rooms[c.room] == nil {
		h.rooms[c.room] = map[*client]bool{}
	}
	h.rooms[c.room][c] = true
}

// leave is called with the lock held, and may be called again.
func (h *hub) leave(c *client) {
	if !h.rooms[c.room][c] {
		return
	}
	delete(h.rooms[c.room], c)
	if len(h.rooms[c.room]) == 0 {
		delete(h.rooms, c.room)
	}
	close(c.send)
}

func (h *hub) broadcast(room string, text []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for c := range h.rooms[room] {
		select {
		case c.send <- text:
		default:
			h.leave(c) // reads too slowly
		}
	}
}

func (c *client) readPump() {
	defer func() {
		c.hub.mu.Lock()
		c.hub.leave(c)
		c.hub.mu.Unlock()
		c.conn.Close()
	}()
	alive := func(string) error { return c.conn.SetReadDeadline(time.Now().Add(pongWait)) }
	c.conn.SetReadLimit(1 << 20)
	c.conn.SetPongHandler(alive)
	_ = alive("")
	for {
		_, text, err := c.conn.ReadMessage()
		if err != nil {
			return
		}
		c.hub.broadcast(c.room, text)
	}
}

func (c *client) writePump() {
	ping := time.NewTicker(pongWait / 2)
	defer ping.Stop()
	defer c.conn.Close()
	for {
		var err error
		select {
		case text, ok := <-c.send:
			_ = c.conn.SetWriteDeadline(time.Now().Add(writeWait))
			if !ok {
				_ = c.conn.WriteMessage(websocket.CloseMessage, nil)
				return
			}
			err = c.conn.WriteMessage(websocket.TextMessage, text)
		case <-ping.C:
			_ = c.conn.SetWriteDeadline(time.Now().Add(writeWait))
			err = c.conn.WriteMessage(websocket.PingMessage, nil)
		}
		if err != nil {
			return
		}
	}
}

const (
	pongWait  = 60 * time.Second
	writeWait = 10 * time.Second
)

func gorillaChat() http.Handler {
	h := &hub{rooms: map[string]map[*client]bool{}}
	return http.HandlerFunc(h.serve)
}
