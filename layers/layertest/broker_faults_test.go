package layertest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/protocol"
)

// archiveCall is a call of a driver that is about history or presence.
type archiveCall struct {
	at     testkit.Line
	name   string
	writes bool
	lasts  bool // what was asked is done also if the caller gives up
	do     func(ctx context.Context, p *peer) error
}

// archiveCalls are all of them. Exit takes out what is there before.
func archiveCalls() []archiveCall {
	return []archiveCall{
		{testkit.Here(), "Append", true, false, func(ctx context.Context, p *peer) error {
			_, err := p.historian().Append(ctx, "g", newNote("a", 1), plenty())
			return err
		}},
		{testkit.Here(), "Read", false, false, func(ctx context.Context, p *peer) error {
			_, err := p.historian().Read(ctx, "g", layers.Range{})
			return err
		}},
		{testkit.Here(), "Enter", true, false, func(ctx context.Context, p *peer) error {
			return p.presencer().Enter(ctx, "g", some("1", "ann", 1))
		}},
		{testkit.Here(), "Exit", true, true, func(ctx context.Context, p *peer) error {
			return p.presencer().Exit(ctx, "g", "0", 0)
		}},
		{testkit.Here(), "Present", false, false, func(ctx context.Context, p *peer) error {
			_, err := p.presencer().Present(ctx, "g", "")
			return err
		}},
		{testkit.Here(), "Count", false, false, func(ctx context.Context, p *peer) error {
			_, err := p.presencer().Count(ctx, "g")
			return err
		}},
	}
}

// arrived is how many events have come to "g" by now.
func (p *peer) arrived() int {
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.mu.groups["g"])
}

// changed reports whether there is anything but the presence 0 that each row begins with.
func (s *trio) changed() bool {
	h := s.b.read("g", protocol.Position{}, 0)
	var present []layers.Presence
	s.must("Present", s.b.env.call("Present", func(ctx context.Context) (err error) {
		present, err = s.b.presencer().Present(ctx, "g", "")
		return err
	}))
	return len(h.Events) > 0 || !slices.Equal(allShown(present), allShown([]layers.Presence{some("0", "bob", 0)}))
}

func TestFaultsOfHistoryAndPresence(t *testing.T) {
	t.Parallel()
	gone := errors.New("went home")
	for _, call := range archiveCalls() {
		for _, row := range []struct {
			at   testkit.Line
			name string
			do   func(s *trio, f func(ctx context.Context) error) error
			want error
			took time.Duration // from the call to its answer
			late time.Duration // and until others have been told
			lost bool          // nobody else is told
			same bool          // nothing is changed
			quit bool          // the caller gives up: nothing is changed but what lasts
		}{
			{at: testkit.Here(), name: "slow", do: func(s *trio, f func(context.Context) error) error {
				s.broker.Slow(time.Second)
				return f(s.ctx)
			}, took: time.Second},
			{at: testkit.Here(), name: "slow, and ctx ends before", do: func(s *trio, f func(context.Context) error) error {
				s.broker.Slow(time.Second)
				ctx, cancel := context.WithTimeoutCause(s.ctx, time.Millisecond, gone)
				defer cancel()
				return f(ctx)
			}, want: gone, took: time.Millisecond, quit: true},
			{at: testkit.Here(), name: "slow, and the node dies before", do: func(s *trio, f func(context.Context) error) error {
				s.broker.Slow(time.Second)
				time.AfterFunc(time.Millisecond, func() { s.broker.Kill(s.a.driver) })
				return f(s.ctx)
			}, want: layers.ErrLayerClosed, took: time.Millisecond, same: true},
			{at: testkit.Here(), name: "slow, and the node is cut off before", do: func(s *trio, f func(context.Context) error) error {
				s.broker.Slow(time.Second)
				time.AfterFunc(time.Millisecond, func() { s.broker.Partition(s.a.driver) })
				return f(s.ctx)
			}, want: layers.ErrDown, took: time.Second, same: true},
			{at: testkit.Here(), name: "delay", do: func(s *trio, f func(context.Context) error) error {
				s.broker.Delay(time.Minute)
				return f(s.ctx)
			}, late: time.Minute},
			{at: testkit.Here(), name: "loss", do: func(s *trio, f func(context.Context) error) error {
				s.broker.Loss(1, 1)
				return f(s.ctx)
			}, lost: true},
		} {
			t.Run(call.name+", "+row.name, func(t *testing.T) {
				inBubble(t, &Options{Lease: time.Hour}, func(_ *testing.T, s *trio) {
					s.a.enter("g", some("0", "bob", 0))
					before, began := s.b.arrived(), time.Now()
					err := row.do(s, func(ctx context.Context) error { return call.do(ctx, s.a) })
					if took := time.Since(began); !errors.Is(err, row.want) || took != row.took {
						s.errorf("%s, %s: returned %v after %v, want %v after %v", call.at, row.at, err, took, row.want, row.took)
					}
					s.broker.Slow(0)
					done := call.writes && !row.same && (call.lasts || !row.quit)
					if changed := s.changed(); changed != done {
						s.errorf("%s, %s: something has changed: %t", call.at, row.at, changed)
					}
					told := 0
					if done && !row.lost {
						told = 1
					}
					if got := s.b.arrived() - before; row.late > 0 && got != 0 {
						s.errorf("%s, %s: others were told at once", call.at, row.at)
					}
					<-time.After(row.late)
					if got := s.b.arrived() - before; got != told {
						s.errorf("%s, %s: others were told %d times, want %d", call.at, row.at, got, told)
					}
				})
			})
		}
	}
}
