package node

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Store is a [Hub] that keeps events and presences. It has a method for each thing that is measured.
type Store interface {
	Hub

	// Record is Send, and keeps the message: the last Kept of a group.
	Record(ctx context.Context, group string, sentAt int64) error
	// Recover does what a member needs that has missed so many messages, and returns how
	// many it has got. 0 is a member that has missed all.
	Recover(ctx context.Context, group string, missed int) (int, error)
	// Enter adds a presence to a group.
	Enter(ctx context.Context, group string, p Presence) error
	// Present reads all presences of a group, and returns how many there are.
	Present(ctx context.Context, group string) (int, error)
	// Count returns how many there are, and does not read them if it can do without.
	Count(ctx context.Context, group string) (int, error)
}

// Kept is how many messages of a group are kept, for KeptFor.
const (
	Kept    = 1000
	KeptFor = time.Hour
)

// CountedGroup is a group whose presences can be counted without reading them, if that has to
// be chosen. In other groups they are not counted, then.
const CountedGroup = 1

// Presence is somebody who is present: a connection of a user.
type Presence struct {
	ID, User string
	Meta     []byte // JSON
}

// presence returns the presence with a number. All have the same length; that of an ID is
// the length of a UUID.
func presence(n int) Presence {
	return Presence{
		ID: fmt.Sprintf("connection-%025d", n), User: fmt.Sprintf("user-%06d", n),
		Meta: fmt.Appendf(nil, `{"name":"User %06d"}`, n),
	}
}

// stored does what needs a Store. found is what the request has read, each time.
func (s *server) stored(ctx context.Context, q Request) (found int, err error) {
	store, ok := s.hub.(Store)
	if !ok {
		return 0, fmt.Errorf("request %q: this node stores nothing", q.Do)
	}
	group := GroupName(q.First)
	var read func() (int, error)
	switch q.Do {
	case Recover:
		read = func() (int, error) { return store.Recover(ctx, group, q.Missed) }
	case Present:
		read = func() (int, error) { return store.Present(ctx, group) }
	case Count:
		read = func() (int, error) { return store.Count(ctx, group) }
	case Enter:
		return q.Members, enter(ctx, store, q)
	default:
		return 0, fmt.Errorf("unknown request %q", q.Do)
	}
	for i := range max(q.Times, 1) {
		n, err := read()
		if err != nil {
			return n, err
		}
		if i > 0 && n != found {
			return n, fmt.Errorf("request %q: found %d, and %d before", q.Do, n, found)
		}
		found = n
	}
	return found, nil
}

// enter enters the presences with the numbers from q.From on, q.Senders at the same time.
func enter(ctx context.Context, store Store, q Request) error {
	var next atomic.Int64
	var all sync.WaitGroup
	errs := make([]error, max(q.Senders, 1))
	for i := range errs {
		all.Go(func() {
			for errs[i] == nil {
				n := int(next.Add(1)) - 1
				if n >= q.Members {
					return
				}
				errs[i] = store.Enter(ctx, GroupName(q.First), presence(q.From+n))
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}
