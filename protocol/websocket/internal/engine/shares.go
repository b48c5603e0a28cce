package engine

import (
	"maps"
	"sync"
	"sync/atomic"

	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket/internal/frame"
	"github.com/wye-go/wye/protocol/websocket/internal/queue"
)

// share is what connections with the same limits have in common.
type share struct {
	rules  *frame.Rules
	budget *queue.Budget
}

// shares are those of an engine, by the limits that they depend on. They are read without
// a lock: there are few limits, and new ones are rare.
type shares struct {
	known atomic.Pointer[map[protocol.Limits]share]
	mu    sync.Mutex // for changes
}

// maxShares is how many shares are kept, at most. A program may make up limits for each
// connection.
const maxShares = 64

// shareOf returns what connections with the limits l have in common.
func (e *Engine) shareOf(l *protocol.Limits) share {
	key := protocol.Limits{
		MaxMessage: l.MaxMessage, MaxFrame: l.MaxFrame,
		MaxFragments: l.MaxFragments, MaxControlFrames: l.MaxControlFrames,
		QueueBytes: l.QueueBytes,
	}
	if known := e.shares.known.Load(); known != nil {
		if s, ok := (*known)[key]; ok {
			return s
		}
	}
	return e.shares.add(key, e.queues)
}

// add returns the share with that key, which it makes. Its queues charge pool.
func (s *shares) add(key protocol.Limits, pool *queue.Pool) share {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := map[protocol.Limits]share{}
	if old := s.known.Load(); old != nil {
		maps.Copy(known, *old)
	}
	made, ok := known[key]
	if !ok {
		made = share{frame.NewRules(&key), &queue.Budget{Each: key.QueueBytes, Pool: pool}}
		if len(known) < maxShares {
			known[key] = made
			s.known.Store(&known)
		}
	}
	return made
}
