package layers

import (
	"context"

	"github.com/wye-go/wye/layers/internal/table"
)

// Join makes m a member of group. Joining twice has no effect. When it has returned nil, m
// receives whatever is sent to group from then on, on any node; while the back end is down,
// as soon as it is up. Consumers use consumer.Conn.Join, which leaves by itself. The error
// is an invalid name, ctx's or the driver's, such as context.DeadlineExceeded if it does
// not answer within five seconds; then m is not a member, unless it was one before, or
// another Join of m makes it one.
func (l *Layer) Join(ctx context.Context, group string, m Member) error {
	if err := l.usable(ctx, ValidName(group)); err != nil {
		return err
	}
	call := l.startJoin(group, m)
	if call.calls == nil {
		return nil
	}
	return l.endJoin(group, m, call, call.subscribed.Wait(ctx))
}

func (l *Layer) startJoin(group string, m Member) joinCall {
	s := l.groups.Shard(group)
	s.Lock()
	defer s.Unlock()
	return l.groupToJoin(s, group).join(m)
}

// endJoin ends a call that has waited, with err.
func (l *Layer) endJoin(group string, m Member, call joinCall, err error) error {
	s := l.groups.Shard(group)
	s.Lock()
	defer s.Unlock()
	err = call.result(err)
	if g := s.Get(group); g != nil {
		g.endJoin(m, call.calls, err != nil)
		l.removeIfEmpty(s, group, g)
	}
	return err
}

// groupToJoin returns group, whose shard s is locked. It is added, and subscribed to, if
// there is none: the caller adds a member.
func (l *Layer) groupToJoin(s *table.Shard[*group], name string) *group {
	g := s.Get(name)
	if g == nil {
		g = &group{subscribed: l.backEnd().groups.Want(name, true)}
		s.Put(name, g)
	}
	return g
}

// Leave removes m from group; if it is not there, Leave has no effect. When it returns, no
// send that starts later reaches m through this group.
func (l *Layer) Leave(group string, m Member) {
	s := l.groups.Shard(group)
	s.Lock()
	defer s.Unlock()
	if g := s.Get(group); g != nil {
		g.leave(m)
		l.removeIfEmpty(s, group, g)
	}
}

// removeIfEmpty removes group, whose shard s is locked, and its subscription, if it has no
// members.
func (l *Layer) removeIfEmpty(s *table.Shard[*group], name string, g *group) {
	if g.members.Len() > 0 {
		return
	}
	s.Delete(name)
	l.backEnd().groups.Want(name, false)
}
