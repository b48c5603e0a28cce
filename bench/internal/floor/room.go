//go:build linux

package floor

// room is the connections that share what is said in it.
type room struct {
	name    string
	members []*conn
}

func (s *Server) join(c *conn, name string) {
	r := s.rooms[name]
	if r == nil {
		r = &room{name: name}
		s.rooms[name] = r
	}
	c.room, c.slot = r, len(r.members)
	r.members = append(r.members, c)
}

func (s *Server) leave(c *conn) {
	r := c.room
	if r == nil {
		return
	}
	last := r.members[len(r.members)-1]
	r.members[c.slot], last.slot = last, c.slot
	r.members = r.members[:len(r.members)-1]
	if len(r.members) == 0 {
		delete(s.rooms, r.name)
	}
	c.room = nil
}

// broadcast appends the frames to every member's buffer; they are written at
// the end of the turn, together with what others say until then.
func (s *Server) broadcast(r *room, frames []byte) {
	for _, m := range r.members {
		if m.enqueue(frames) != nil {
			m.overrun = true
		}
		if !m.dirty {
			m.dirty = true
			s.dirty = append(s.dirty, m)
		}
	}
}

// flushRooms writes once to every member that was spoken to in this turn.
func (s *Server) flushRooms() {
	for i, c := range s.dirty {
		s.dirty[i], c.dirty = nil, false
		if c.fd < 0 {
			continue // dropped since
		}
		if c.overrun || c.flush() != nil {
			s.drop(c)
		}
	}
	s.dirty = s.dirty[:0]
}
