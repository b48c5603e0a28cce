package layers

import (
	"errors"

	"github.com/wye-go/wye/layers/internal/catchup"
	"github.com/wye-go/wye/layers/internal/roster"
	"github.com/wye-go/wye/layers/internal/subscription"
	"github.com/wye-go/wye/protocol"
)

// group is the members of a group in this process. Its methods require the lock of its
// shard, which for walk may be shared.
type group struct {
	members    roster.Set[Member]
	subscribed *subscription.Round    // of the driver; nil: it needs no subscription
	joining    map[Member]*joining    // members whose Join waits; nil if there are none
	catchingUp map[Member]*catchingUp // by the member they stand for; nil if there are none
}

// joining are the calls of Join, with one member and group, that wait for a subscription.
// They share the membership.
type joining struct{ calls int }

// joinCall is one of them. calls is nil if it need not wait.
type joinCall struct {
	subscribed *subscription.Round
	calls      *joining
}

// result returns the error of the call, if waiting has ended with err. What the driver has
// answered by now holds for all calls: others may have returned with it. The lock of the
// shard must be held.
func (c joinCall) result(err error) error {
	if over, answer := c.subscribed.Result(); over {
		err = answer
	}
	if joinSucceeded(err) {
		return nil
	}
	return err
}

// joinSucceeded reports whether err, the driver's, leaves the member joined: ErrDown does,
// because the driver makes up for it.
func joinSucceeded(err error) bool { return err == nil || errors.Is(err, ErrDown) }

// walk returns the members, and the one that is among them for except.
func (g *group) walk(except Member) (roster.View[Member], Member) {
	if g.catchingUp != nil {
		if w, ok := g.catchingUp[except]; ok {
			except = w
		}
	}
	return g.members.Walk(), except
}

// join adds m.
func (g *group) join(m Member) joinCall {
	if g.catchingUp[m] == nil {
		g.members.Add(m)
	}
	if over, err := g.subscribed.Result(); over && joinSucceeded(err) {
		return joinCall{}
	}
	calls := g.joining[m]
	if calls == nil {
		calls = &joining{}
		if g.joining == nil {
			g.joining = make(map[Member]*joining)
		}
		g.joining[m] = calls
	}
	calls.calls++
	return joinCall{g.subscribed, calls}
}

// endJoin ends a call of Join that has waited. A failed call removes the member, unless
// other calls wait on, or a JoinFrom does.
func (g *group) endJoin(m Member, calls *joining, failed bool) {
	if g.joining[m] != calls {
		return // it has left meanwhile
	}
	calls.calls--
	if calls.calls > 0 {
		return
	}
	delete(g.joining, m)
	if len(g.joining) == 0 {
		g.joining = nil
	}
	if failed {
		g.members.Remove(m) // not what stands for it
	}
}

// leave removes m and what stands for it.
func (g *group) leave(m Member) {
	delete(g.joining, m)
	if w := g.catchingUp[m]; w != nil {
		g.stopCatchingUp(m, w)
		m = w
	}
	g.members.Remove(m)
}

// joinCatchingUp adds w in place of its member, which may be there.
func (g *group) joinCatchingUp(w *catchingUp) error {
	switch before := g.catchingUp[w.Member]; {
	case before != nil && !before.isSettled():
		return ErrJoining
	case before != nil:
		g.members.Replace(before, w)
	case g.members.Has(w.Member):
		g.members.Replace(w.Member, w)
	default:
		g.members.Add(w)
	}
	if g.catchingUp == nil {
		g.catchingUp = make(map[Member]*catchingUp)
	}
	g.catchingUp[w.Member] = w
	return nil
}

// endCatchingUp removes w, whose JoinFrom has failed. If a Join of its member waits, the
// member takes its own place.
func (g *group) endCatchingUp(w *catchingUp) {
	m := w.Member
	if g.catchingUp[m] != w {
		return // it has left meanwhile
	}
	g.stopCatchingUp(m, w)
	if g.joining[m] != nil {
		g.members.Replace(w, m)
		return
	}
	g.members.Remove(w)
}

func (g *group) stopCatchingUp(m Member, w *catchingUp) {
	w.with((*catchup.Buffer).Discard)
	delete(g.catchingUp, m)
	if len(g.catchingUp) == 0 {
		g.catchingUp = nil
	}
}

// promote has members take their own place that have caught up when the event at p is
// being delivered, to a view that was taken before. Only later events come to them from
// now on.
func (g *group) promote(p protocol.Position) {
	for m, w := range g.catchingUp {
		if w.isDone(p) {
			g.members.Replace(w, m)
			g.stopCatchingUp(m, w)
		}
	}
}
