// Package peer has what the servers of the other libraries share: the paths that they
// serve and the map of rooms that users of a library without groups write.
package peer

import (
	"strings"
	"sync"

	"github.com/wye-go/wye/bench/internal/chore"
)

// MaxMessage is the largest message that the servers read, as that of Wye.
const MaxMessage = 1 << 20

// Path is what a request is for.
type Path struct {
	kind, Room string
}

// ParsePath returns what /echo, /sleep, /work, /room/<name> or /member/<name> is for.
func ParsePath(s string) (Path, bool) {
	kind, room, named := strings.Cut(strings.TrimPrefix(s, "/"), "/")
	switch kind {
	case "echo", "sleep", "work":
		return Path{kind: kind}, !named
	case "room", "member":
		return Path{kind: kind, Room: room}, room != ""
	}
	return Path{}, false
}

// Echoes tells whether the path is that of a plain echo. The zero Path works as one, too.
func (p Path) Echoes() bool { return p.kind == "echo" }

// Speaks tells whether messages go to all of Room, and not back to their sender.
func (p Path) Speaks() bool { return p.kind == "room" }

// Work does what the callback for a message has to do before it answers.
func (p Path) Work(m []byte) { chore.Do(p.kind, m) }

// Rooms are groups of connections. The zero value is empty.
type Rooms[C comparable] struct {
	mu sync.RWMutex
	by map[string]map[C]struct{}
}

// Join adds c to a room; the name "" is none.
func (r *Rooms[C]) Join(room string, c C) {
	if room == "" {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.by == nil {
		r.by = map[string]map[C]struct{}{}
	}
	if r.by[room] == nil {
		r.by[room] = map[C]struct{}{}
	}
	r.by[room][c] = struct{}{}
}

// Leave removes c from a room.
func (r *Rooms[C]) Leave(room string, c C) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.by[room], c)
	if len(r.by[room]) == 0 {
		delete(r.by, room)
	}
}

// Each calls send for every member of a room. It holds a lock that Join and Leave wait
// for.
func (r *Rooms[C]) Each(room string, send func(C)) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for c := range r.by[room] {
		send(c)
	}
}
