package protocol

import (
	"context"
	"errors"
	"testing"
)

// TestPut_Over: between the end of a connection and that of its context, nothing
// is put where a handler would hear it after its Disconnect.
func TestPut_Over(t *testing.T) {
	t.Parallel()
	for _, over := range []state{stateEnded, stateClosed, stateRejected} {
		s := NewSession(context.Background(), nil, nil, nil, nil)
		s.mu.life.state = over
		room := s.put(Text("late"))
		if room == nil || !s.mu.mail.empty() {
			t.Fatalf("%v: the message was put", over)
		}
		s.cancel(errors.New("ended"))
		<-room
	}
}
