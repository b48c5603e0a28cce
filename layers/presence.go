package layers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/wye-go/wye/internal/logs"
	"github.com/wye-go/wye/layers/internal/keep"
	"github.com/wye-go/wye/protocol"
)

// Presence says that somebody is there, in a group. Being present and being a member
// are two things: who is present is seen, and need not listen.
type Presence struct {
	// ID is that of the one presence, such as a connection, among all of its
	// group: 1 to MaxName bytes.
	ID string `json:"id"`
	// Key is whom others see, such as a user, who may be present more than
	// once: 1 to MaxKey bytes.
	Key string `json:"key"`
	// Meta is what others see of them, as JSON, at most MaxMeta bytes; or nil.
	Meta json.RawMessage `json:"meta,omitempty"`
	// Since is when it has entered. If it is the zero time, that is set.
	Since time.Time `json:"since"`
}

// The bounds of a [Presence], in bytes. More is an error of Enter.
const (
	MaxKey  = 256
	MaxMeta = 4 << 10
)

// MaxLinger is how long a presence may linger at most. More is an error of ExitAfter.
const MaxLinger = time.Hour

// PresenceCount is how many are present in a group.
type PresenceCount struct {
	Keys      int // different keys, such as users
	Presences int // such as connections, of which a user may have several
}

// Visit is the payload of [Entered], [Changed] and [Exited].
type Visit struct {
	Group    string   `json:"group"`
	Presence Presence `json:"presence"`
}

// What the members of a group are told about who is present there, on all nodes: those
// members that watch it (see [Watcher]), such as consumers that declared a handler for
// the event with consumer.On. For others nothing is sent, and nothing waits. The
// events of one group come in the order in which it happened. Whoever wants to know
// who is there joins the group first, then asks Present, and then does what the
// events say; some of it may have been in the answer.
var (
	// Entered says that a key is present now: with the presence that is its
	// first.
	Entered = protocol.EventType[Visit]{Name: enteredName}
	// Changed says that a presence of a key that is present has other metadata
	// now: with the whole of it. It is any of the key's; its ID says which.
	Changed = protocol.EventType[Visit]{Name: changedName}
	// Exited says that a key is not present any more: with the presence that
	// was its last.
	Exited = protocol.EventType[Visit]{Name: exitedName}
)

// Presencer is a [Driver] that knows who is present.
//
// It sends Entered, Changed and Exited to all nodes that have subscribed to the group, this
// one too, through Receiver.Group, and in order. What a node that is dead had
// entered goes after a while, as if it had exited; how the driver finds out that it
// is dead is its own business, and so is to enter again what a node that was taken
// for dead still has.
type Presencer interface {
	Driver

	// Enter adds p to group, or replaces the presence that has its ID; if that
	// has the same Key, its Since stays, and if the Meta has other bytes that is
	// Changed. All of p is set and within bounds. The error means that it has
	// not entered.
	Enter(ctx context.Context, group string, p Presence) error
	// Exit takes a presence out that this node has entered; not being there is
	// no error. Once it has begun, the driver does so sooner or later: after an
	// error that matches ErrDown when the back end is up again, and also if ctx
	// ends before the back end has answered. Nobody asks a second time for what
	// a connection leaves behind.
	//
	// If linger is not zero the presence stays for that long. Until then, an Enter
	// of the same Key, on whatever node, replaces it: that is neither Exited nor
	// Entered, but Changed if the Meta has other bytes. A driver may cut the time
	// short when the back end is down or the node dies.
	Exit(ctx context.Context, group, id string, linger time.Duration) error
	// Present returns all that are there, on whatever node, or those of one key
	// if key is not empty, ordered by Since and then by ID.
	Present(ctx context.Context, group, key string) ([]Presence, error)
	// Count returns how many are there, on all nodes, without reading them.
	Count(ctx context.Context, group string) (PresenceCount, error)
}

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
	if err := l.usable(ctx, errors.Join(ValidName(group), p.check())); err != nil {
		return err
	}
	if p.Since.IsZero() {
		p.Since = time.Now()
	}
	p.Since = p.Since.UTC().Round(0)
	if l.driver == nil {
		return l.crowds.change(ctx, group, l, func(c *keep.Crowd) []keep.Change { return c.Enter(keep.Entry(p)) })
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

func (p *Presence) check() error {
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
	people keep.Crowd
	gone   bool // not in the table any more
}

// change does f to the crowd of group, and tells the members of l.
func (cs *crowds) change(ctx context.Context, group string, l *Layer, f func(*keep.Crowd) []keep.Change) error {
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
func (cs *crowds) tell(group string, l *Layer, c *crowd, changes []keep.Change) {
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
