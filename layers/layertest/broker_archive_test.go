package layertest

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/layers/internal/store"
	"github.com/wye-go/wye/protocol"
)

func TestStopLosesHistories(t *testing.T) {
	inBubble(t, nil, func(_ *testing.T, s *trio) {
		before := s.a.append("h", 1, plenty())
		s.broker.Partition(s.b.driver)
		s.broker.Heal()
		s.wantPage("after a partition", s.b.read("h", protocol.Position{}, 0), before, true, 1)
		s.broker.Stop()
		s.broker.Start()
		s.wantPage("after a restart", s.b.read("h", before, 0), protocol.Position{}, false)
		if after := s.a.append("h", 1, plenty()); after.Offset != 1 || after.Epoch == before.Epoch {
			s.errorf("after a restart the first event is at %q; before, one was at %q", after, before)
		}
	})
}

// TestEventsOfHistoriesAreNotShared: what one does to the bytes of an event, nobody
// else sees.
func TestEventsOfHistoriesAreNotShared(t *testing.T) {
	inBubble(t, nil, func(_ *testing.T, s *trio) {
		e := newNote("a", 7)
		want := string(wireOf(e))
		read := func() *protocol.Event { return s.a.read("g", protocol.Position{}, 0).Events[0] }
		s.broker.Delay(time.Second)
		_, err := s.a.historian().Append(s.ctx, "g", e, plenty())
		s.must("Append", err)
		clear(wireOf(e))
		all := []*protocol.Event{read(), read(), s.b.events("g", 1)[0], s.c.events("g", 1)[0]}
		for i, spoilt := range all {
			for j, other := range append(slices.Clone(all[i:]), read()) {
				if got := string(wireOf(other)); got != want {
					s.errorf("event %d has the bytes %q, want %q, since those of the one before event %d were overwritten", i+j, got, want, i)
				}
			}
			clear(wireOf(spoilt))
		}
	})
}

func TestHistoriesThatNobodyUsesGo(t *testing.T) {
	inBubble(t, nil, func(_ *testing.T, s *trio) {
		kept := func() (histories, events int) {
			s.broker.mu.Lock()
			defer s.broker.mu.Unlock()
			for _, r := range s.broker.mu.histories {
				events += r.Len()
			}
			return len(s.broker.mu.histories), events
		}
		want := func(when string, histories, events int) {
			if h, e := kept(); h != histories || e != events {
				s.errorf("%s: %d histories hold %d events, want %d and %d", when, h, e, histories, events)
			}
		}
		k := layers.Retention{MaxEvents: 10, MaxAge: time.Hour}
		for n := range 3 {
			s.a.append("old", n, k)
			s.a.append("older", n, k)
		}
		<-time.After(k.MaxAge - 1)
		s.a.append("new", 0, k)
		want("before they are too old", 3, 7)
		<-time.After(sweepEvery)
		s.b.read("nothing", protocol.Position{}, 0)
		want("when they are too old, for somebody who reads", 3, 1)
		<-time.After(store.Linger - sweepEvery + 1)
		s.a.append("newer", 0, k)
		want("when two are forgotten", 2, 1)
		<-time.After(k.MaxAge + store.Linger)
		s.a.append("last", 0, k)
		want("in the end", 1, 1)
	})
}

// visitsByNow are the visits that have come to "g" by now.
func (p *peer) visitsByNow() []string {
	synctest.Wait()
	return p.visits("g", 0)
}

func TestLeases(t *testing.T) {
	inBubble(t, &Options{Lease: time.Minute}, func(_ *testing.T, s *trio) {
		want := func(when string, want ...string) {
			if got := s.c.visitsByNow(); !slices.Equal(got, want) {
				s.errorf("%s: a node was told %q, want %q", when, got, want)
			}
		}
		s.a.enter("g", some("1", "ann", 0))
		s.b.enter("g", some("2", "bob", 1))
		s.broker.Partition(s.b.driver)
		<-time.After(time.Minute - 1)
		s.broker.Heal()
		<-time.After(time.Hour)
		want("healed in time", "+ann/1", "+bob/2")
		s.broker.Partition(s.b.driver)
		<-time.After(time.Minute)
		want("lapsed", "+ann/1", "+bob/2", "-bob/2")
		s.broker.Heal()
		want("entered again", "+ann/1", "+bob/2", "-bob/2", "+bob/2")
		s.c.wantPresent("g", some("1", "ann", 0), some("2", "bob", 1))
		s.broker.Stop()
		s.broker.Kill(s.a.driver)
		<-time.After(time.Hour)
		s.broker.Start()
		<-time.After(time.Minute - 1)
		want("a lease begins after Start", "+ann/1", "+bob/2", "-bob/2", "+bob/2")
		<-time.After(1)
		want("and ends", "+ann/1", "+bob/2", "-bob/2", "+bob/2", "-ann/1")
		s.must("Close", s.b.close())
		want("closed", "+ann/1", "+bob/2", "-bob/2", "+bob/2", "-ann/1", "-bob/2")
		s.c.wantPresent("g")
	})
}

// An ID that another node has entered since is not the first one's to take out.
func TestIDsBelongToTheNodeThatEnteredLast(t *testing.T) {
	inBubble(t, &Options{Lease: time.Minute}, func(_ *testing.T, s *trio) {
		s.a.enter("g", some("1", "ann", 0))
		s.b.enter("g", some("1", "ann", 1))
		s.a.exit("g", "1")
		s.broker.Kill(s.a.driver)
		<-time.After(time.Hour)
		s.c.wantPresent("g", some("1", "ann", 0))
		if got := s.c.visitsByNow(); !slices.Equal(got, []string{"+ann/1"}) {
			s.errorf("a node was told %q", got)
		}
	})
}
