package protocol

import (
	"context"
	"errors"
	"testing"
)

// TestPut_Over: between the close of a connection and the end of its context, nothing
// is put where a handler would hear it after its Disconnect.
func TestPut_Over(t *testing.T) {
	t.Parallel()
	for name, step := range map[string]func(s *Session){
		"closing": func(s *Session) { s.mu.life.Answer(); s.mu.life.Open(); s.mu.life.Close(true) },
		"closed": func(s *Session) {
			s.mu.life.Answer()
			s.mu.life.Open()
			s.mu.life.Close(true)
			s.mu.life.Disconnected()
		},
		"rejected": func(s *Session) { s.mu.life.Reject() },
	} {
		s := NewSession(context.Background(), nil, nil, nil, nil)
		step(s)
		room := s.put(Text("late"))
		if room == nil || s.hasMailLocked() {
			t.Fatalf("%s: the message was put", name)
		}
		s.closeRefused(errors.New("ended"))
		<-room
	}
}
