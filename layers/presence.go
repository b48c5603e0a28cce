package layers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/wye-go/wye/internal/logs"
	"github.com/wye-go/wye/layers/internal/store"
	"github.com/wye-go/wye/protocol"
)

// Enter makes p present in group, until Exit. Again with the same ID replaces it;
// if the Key is the same then it is there since as long as before. Members of the group
// get an Entered event if p is the first of its Key, and a Changed event if the Meta has
// other bytes than that of the presence it replaces, and the same Key. Consumers use
// consumer.Conn.Enter, which exits by itself.
//
// Errors: an invalid name, a p that is not within bounds, ctx's, the driver's,
// ErrBehind if a few hundred events of the group wait and none is taken for a second,
// errors.ErrUnsupported if the driver does not know who is present; then p is not.
// How many may be present is not limited.
func (l *Layer) Enter(ctx context.Context, group string, p Presence) error {
	if err := l.usable(ctx, errors.Join(ValidName(group), checkPresence(&p))); err != nil {
		return err
	}
	if p.Since.IsZero() {
		p.Since = time.Now()
	}
	p.Since = p.Since.UTC().Round(0)
	if l.driver == nil {
		return l.crowds.change(ctx, group, l, func(c *store.Crowd) []store.Change { return c.Enter(store.Entry(p)) })
	}
	d, err := l.presencer()
	if err != nil {
		return err
	}
	return d.Enter(ctx, group, p)
}

// Exit takes the presence of this ID out of group; not being there is no error.
// Members get an Exited event if it was the last of its Key. Errors as in Enter, but
// not ErrBehind; when it is ErrDown, or ctx's and ctx has ended meanwhile, the driver
// makes up for it.
func (l *Layer) Exit(ctx context.Context, group, id string) error {
	return l.ExitAfter(ctx, group, id, 0)
}

// ExitAfter is Exit for a presence that has been lost and may come back: it stays for
// as long as linger says, at most MaxLinger. If its Key enters again before that, with
// whatever ID and on whatever node, the new presence replaces it, and members get
// neither Exited nor Entered, but Changed if the Meta has other bytes. Otherwise it
// exits when linger has passed. While the back end is down, or if this node dies, it
// may be earlier. Errors as in Exit, and a linger that is negative or too long.
func (l *Layer) ExitAfter(ctx context.Context, group, id string, linger time.Duration) error {
	if err := l.usable(ctx, errors.Join(ValidName(group), validLinger(linger))); err != nil {
		return err
	}
	if l.driver == nil {
		l.crowds.exit(group, id, linger, l)
		return nil
	}
	d, err := l.presencer()
	if err != nil {
		return err
	}
	return d.Exit(ctx, group, id, linger)
}

func validLinger(d time.Duration) error {
	if d < 0 || d > MaxLinger {
		return fmt.Errorf("wye: a presence can linger for up to %v, not for %v", MaxLinger, d)
	}
	return nil
}

// Present returns who is present in group, on whatever node, ordered by Since and
// then by ID. The slice is the caller's, what Meta holds is not. Errors: an invalid
// name, ctx's, the driver's, errors.ErrUnsupported if it does not know.
func (l *Layer) Present(ctx context.Context, group string) ([]Presence, error) {
	return l.present(ctx, group, "")
}

// PresentKey is Present for one key: it tells whether a user is there, and where from,
// without reading everybody. None is not an error.
func (l *Layer) PresentKey(ctx context.Context, group, key string) ([]Presence, error) {
	if key == "" {
		return nil, nil // no presence has an empty key
	}
	return l.present(ctx, group, key)
}

func (l *Layer) present(ctx context.Context, group, key string) ([]Presence, error) {
	if err := l.usable(ctx, ValidName(group)); err != nil {
		return nil, err
	}
	if l.driver == nil {
		return l.crowds.present(group, key), nil
	}
	d, err := l.presencer()
	if err != nil {
		return nil, err
	}
	return d.Present(ctx, group, key)
}

// CountPresent returns how many are present in group, on all nodes, without reading
// them. Errors as in Present.
func (l *Layer) CountPresent(ctx context.Context, group string) (PresenceCount, error) {
	if err := l.usable(ctx, ValidName(group)); err != nil {
		return PresenceCount{}, err
	}
	if l.driver == nil {
		return l.crowds.count(group), nil
	}
	d, err := l.presencer()
	if err != nil {
		return PresenceCount{}, err
	}
	return d.Count(ctx, group)
}

// presencer is the driver, which there is, if it knows who is present.
func (l *Layer) presencer() (Presencer, error) {
	if d, ok := l.driver.(Presencer); ok {
		return d, nil
	}
	return nil, l.unsupported("does not know who is present", "layers.Presencer")
}

func checkPresence(p *Presence) error {
	switch {
	case p.ID == "" || len(p.ID) > MaxName:
		return fmt.Errorf("%w: the ID of a presence has 1 to %d bytes, not %d: %q", protocol.ErrInvalidName, MaxName, len(p.ID), logs.Cut(p.ID))
	case p.Key == "" || len(p.Key) > MaxKey:
		return fmt.Errorf("%w: the key of a presence has 1 to %d bytes, not %d: %q", protocol.ErrInvalidName, MaxKey, len(p.Key), logs.Cut(p.Key))
	case len(p.Meta) > MaxMeta:
		return fmt.Errorf("wye: the metadata of a presence have at most %d bytes of JSON, not %d", MaxMeta, len(p.Meta))
	case p.Meta != nil && !json.Valid(p.Meta):
		return fmt.Errorf("wye: the metadata of a presence are not JSON: %q", logs.Cut(string(p.Meta)))
	}
	return nil
}

// crowds are who is present in the groups of a layer without a driver. The zero
// value is nobody.
type crowds struct{ table table[*crowd] }

// crowd is who is present in one group. The lane's lock is also that of people, and
// is never held while the table is looked at.
type crowd struct {
	lane
	people store.Crowd
	gone   bool // not in the table any more
}

// change does f to the crowd of group, and tells the members of l.
func (cs *crowds) change(ctx context.Context, group string, l *Layer, f func(*store.Crowd) []store.Change) error {
	for {
		c := cs.at(group)
		if err := c.enter(ctx); err != nil {
			return err
		}
		if !c.gone {
			cs.tell(group, l, c, f(&c.people))
			return nil
		}
		c.Unlock()
	}
}

// exit waits for nobody: a presence can exit once only, so that this is bounded.
func (cs *crowds) exit(group, id string, linger time.Duration, l *Layer) {
	c, ok := cs.table.get(group)
	if !ok {
		return
	}
	c.Lock()
	if linger == 0 {
		cs.tell(group, l, c, c.people.Exit(id))
		return
	}
	if c.people.Linger(id, time.Now().Add(linger)) {
		time.AfterFunc(linger, func() { cs.expire(group, id, l) })
	}
	c.Unlock()
}

// expire is the end of a presence that lingers, unless another has replaced it.
func (cs *crowds) expire(group, id string, l *Layer) {
	if c, ok := cs.table.get(group); ok {
		c.Lock()
		cs.tell(group, l, c, c.people.Expire(id, time.Now()))
	}
}

// tell unlocks c.
func (cs *crowds) tell(group string, l *Layer, c *crowd, changes []store.Change) {
	events := make([]*protocol.Event, 0, 2)
	for _, change := range changes {
		typ := Entered
		switch {
		case change.Gone:
			typ = Exited
		case change.Other:
			typ = Changed
		}
		e := typ.New(Visit{Group: group, Presence: Presence(change.Entry)})
		events = append(events, e)
	}
	c.put(events, func(e *protocol.Event) {
		if e.Seal() == nil { // it is a struct of what can be encoded
			l.deliver(group, e, nil)
		}
	}, func() { cs.tidy(group) })
}

// at returns the crowd of group, which it adds if need be.
func (cs *crowds) at(group string) *crowd {
	s := cs.table.shard(group)
	s.Lock()
	defer s.Unlock()
	c := s.get(group)
	if c == nil {
		c = &crowd{}
		s.put(group, c)
	}
	return c
}

func (cs *crowds) present(group, key string) []Presence {
	c, ok := cs.table.get(group)
	if !ok {
		return nil
	}
	c.Lock()
	defer c.Unlock()
	entries := c.people.Present(key)
	all := make([]Presence, len(entries))
	for i, p := range entries {
		all[i] = Presence(p)
	}
	return all
}

func (cs *crowds) count(group string) PresenceCount {
	c, ok := cs.table.get(group)
	if !ok {
		return PresenceCount{}
	}
	c.Lock()
	defer c.Unlock()
	return PresenceCount{Keys: c.people.Keys(), Presences: c.people.Len()}
}

// tidy forgets a crowd that is nobody.
func (cs *crowds) tidy(group string) {
	s := cs.table.shard(group)
	s.Lock()
	defer s.Unlock()
	c := s.get(group)
	if c == nil {
		return
	}
	c.Lock()
	defer c.Unlock()
	if c.people.Len() == 0 && c.idle() {
		c.gone = true
		s.drop(group)
	}
}
