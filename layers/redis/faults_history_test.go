package redis_test

import (
	"errors"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/wye-go/wye/internal/redistest"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/layers/redis"
)

// TestGapComesBeforeEvents has a node miss recorded events of a group of which it has not
// received one yet. A member that has read the history receives the next event, or is told of
// the gap before it receives a later one.
func TestGapComesBeforeEvents(t *testing.T) {
	t.Parallel()
	s := redistest.New(t, redistest.Options{ACL: []string{"reader on >secret ~* &* +@all"}})
	own := url.URL{Scheme: "redis", User: url.UserPassword("reader", "secret"), Host: s.Addr()}
	there, _ := open(t, redis.Options{URLs: []string{s.URL()}})
	for range 3 {
		record(t, there, "room", "before", layers.Retention{})
	}
	here, d := open(t, redis.Options{URLs: []string{own.String()}})
	m := watcher{make(member, 10_000)}
	if h, err := here.JoinFrom(t.Context(), "room", m, layers.Range{}); err != nil || len(h.Events) != 3 {
		t.Fatalf("the history has %d events, %v", len(h.Events), err)
	}
	defer here.Leave("room", m)
	joinMany(t, here, 3000) // so that it takes a while to subscribe again
	s.CLI(t, "ACL", "SETUSER", "reader", "off")
	s.CLI(t, "CLIENT", "KILL", "USER", "reader")
	awaitState(t, d, false)
	record(t, there, "room", "missed", layers.Retention{})

	var over atomic.Bool
	var recording sync.WaitGroup
	recording.Go(func() {
		for !over.Load() {
			_, err := there.Record(t.Context(), "room", said.New(text{"after"}), layers.Retention{})
			if err != nil && !errors.Is(err, layers.ErrBehind) {
				t.Error(err)
				return
			}
		}
	})
	s.CLI(t, "ACL", "SETUSER", "reader", "on")
	for typ, next := "", uint64(4); typ != layers.Gap.Name; {
		e := m.next(t)
		if typ = e.Type(); typ != said.Name {
			continue
		}
		if e.Position().Offset != next {
			t.Errorf("the event at %s arrives before the gap, instead of the one at %d", e.Position(), next)
			break
		}
		next++
	}
	over.Store(true)
	recording.Wait()
}
