package layers

import (
	"context"
	"errors"
)

// Join makes m a member of group; again is no error and no change. When it has
// returned nil, m gets whatever is sent to group from then on, on whatever node;
// while the back end is down, as soon as it is up. Consumers use
// consumer.Conn.Join, which leaves by itself. The error is an invalid name, ctx's
// or the driver's; then m is no member, unless it was one before, or another Join of
// m makes it one.
func (l *Layer) Join(ctx context.Context, group string, m Member) error {
	if err := l.usable(ctx, ValidName(group)); err != nil {
		return err
	}
	subscribed, mine := l.enter(group, m)
	if subscribed == nil {
		return nil
	}
	return l.settle(group, m, mine, subscribed, subscribed.wait(ctx))
}

// joining are those calls of Join, with one member and group, that wait for a
// subscription. What the member has is theirs together.
type joining struct{ calls int }

// enter adds m, and returns the subscription of the group, unless m need not wait for
// it.
func (l *Layer) enter(group string, m Member) (*round, *joining) {
	s := l.groups.shard(group)
	s.Lock()
	defer s.Unlock()
	g := l.roster(s, group)
	if g.late[m] == nil {
		g.add(m)
	}
	if g.joined == nil || g.joined.isOver() && isMember(g.joined.err) {
		return nil, nil
	}
	mine := g.joining[m]
	if mine == nil {
		mine = &joining{}
		if g.joining == nil {
			g.joining = make(map[Member]*joining)
		}
		g.joining[m] = mine
	}
	mine.calls++
	return g.joined, mine
}

// isMember reports whether who has joined is a member, after what the driver said: one
// that is down makes up for it.
func isMember(err error) bool { return err == nil || errors.Is(err, ErrDown) }

// settle ends what enter has begun, and err, unless it is nil, has ended. Who gives up
// leaves, but not for others: for those who wait on, or for a JoinFrom. What the driver
// has said by now it has said to them too, and counts for all.
func (l *Layer) settle(group string, m Member, mine *joining, subscribed *round, err error) error {
	s := l.groups.shard(group)
	s.Lock()
	defer s.Unlock()
	if subscribed.isOver() {
		err = subscribed.err
	}
	if isMember(err) {
		err = nil
	}
	g := s.get(group)
	if g == nil || g.joining[m] != mine { // it has left meanwhile
		return err
	}
	mine.calls--
	if mine.calls > 0 {
		return err
	}
	delete(g.joining, m)
	if len(g.joining) == 0 {
		g.joining = nil
	}
	if err != nil {
		l.remove(s, group, g, m) // not what stands for it
	}
	return err
}
