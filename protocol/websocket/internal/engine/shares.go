package engine

import (
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket/internal/frame"
	"github.com/wye-go/wye/protocol/websocket/internal/queue"
)

// share is what connections with the same limits have in common.
type share struct {
	rules  *frame.Rules
	budget *queue.Budget
}

// shareKey is what a share depends on.
type shareKey struct {
	limits  protocol.Limits
	inflate frame.Inflate
}

// maxShares is how many shares are kept, at most. A program may make up limits for each
// connection.
const maxShares = 64

// shareOf returns what connections with the limits l have in common, which inflate as i says.
func (e *Engine) shareOf(l *protocol.Limits, i frame.Inflate) share {
	key := shareKey{protocol.Limits{
		MaxMessage: l.MaxMessage, MaxFrame: l.MaxFrame,
		MaxFragments: l.MaxFragments, MaxControlFrames: l.MaxControlFrames,
		QueueBytes: l.QueueBytes,
	}, i}
	if s, ok := e.shares.find(key); ok {
		return s
	}
	return e.shares.add(key, share{frame.NewInflateRules(&key.limits, i), &queue.Budget{Each: l.QueueBytes, Pool: e.queues}}, maxShares)
}
