package layers

import (
	"context"

	"github.com/wye-go/wye/layers/internal/table"
)

// Join makes m a member of group. Joining twice has no effect. When Join has returned nil, m
// receives all events and messages that are sent to group afterwards, on any node. Those of
// other nodes arrive only while the back end is up. Consumers use consumer.Conn.Join, which
// leaves the group when the connection closes.
//
// Errors: an invalid name, the error of ctx, or the error of the driver, such as
// context.DeadlineExceeded if it does not answer within five seconds. After an error m is
// not a member, unless it was one before or a concurrent Join makes it one.
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

// Leave removes m from group; if m is not a member, Leave has no effect. Sends to group that
// start after Leave has returned do not reach m.
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
