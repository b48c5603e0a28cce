package protocol_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/wye-go/wye/internal/plumbing"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/protocol"
)

// calls notes what is called, one after the other.
type calls struct{ list []string }

func (c *calls) note(what string) func() { return func() { c.list = append(c.list, what) } }

// settledSink is a transport that notes the call of Settled.
type settledSink struct {
	sink
	calls *calls
}

func (s *settledSink) Settled() { s.calls.note("settled")() }

// leaver is a consumer's connection.
type leaver struct{ leave func() }

func (l leaver) LeaveAll() { l.leave() }

// TestSettled checks the order of what is called after Disconnect: the functions of
// Defer and the leaver in the reverse order of their calls, and then the transport.
func TestSettled(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		at     testkit.Line
		defers string // the calls in Connect: a and b are functions, l is the leaver
		refuse error
		want   []string
	}{
		{testkit.Here(), "", nil, []string{"disconnect", "settled"}},
		{testkit.Here(), "a", nil, []string{"disconnect", "a", "settled"}},
		{testkit.Here(), "l", nil, []string{"disconnect", "l", "settled"}},
		{testkit.Here(), "al", nil, []string{"disconnect", "l", "a", "settled"}},
		{testkit.Here(), "la", nil, []string{"disconnect", "a", "l", "settled"}},
		{testkit.Here(), "alb", nil, []string{"disconnect", "b", "l", "a", "settled"}},
		{testkit.Here(), "abl", nil, []string{"disconnect", "l", "b", "a", "settled"}},
		{testkit.Here(), "lab", nil, []string{"disconnect", "b", "a", "l", "settled"}},
		{testkit.Here(), "alb", errors.New("no"), []string{"b", "l", "a", "settled"}},
	} {
		t.Run(row.defers, func(t *testing.T) {
			t.Parallel()
			got := &calls{}
			h := &fakes.Handler{
				OnConnect: func(_ context.Context, c *protocol.Conn) error {
					for _, name := range row.defers {
						if name == 'l' {
							plumbing.DeferLeaver(c, leaver{got.note("l")})
						} else {
							c.Defer(got.note(string(name)))
						}
					}
					return row.refuse
				},
				OnDisconnect: func(context.Context, *protocol.Conn, protocol.CloseStatus) { got.note("disconnect")() },
			}
			s := protocol.NewSession(context.Background(), h, protocol.NewScope("websocket", request()), &settledSink{calls: got}, nil)
			if s.Open() {
				s.Ended(protocol.CloseStatus{Code: protocol.CloseNormal})
				s.Run(0)
			}
			if !slices.Equal(got.list, row.want) {
				t.Errorf("%s: the calls were %q, want %q", row.at, got.list, row.want)
			}
			s.Conn().Defer(got.note("late"))
			if want := slices.Concat(row.want, []string{"late"}); !slices.Equal(got.list, want) {
				t.Errorf("%s: the calls were %q, want %q", row.at, got.list, want)
			}
		})
	}
}
