package layers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/wye-go/wye/internal/logs"
	"github.com/wye-go/wye/protocol"
)

// Enter makes p present in group, until Exit. Entering with an ID that is present replaces
// that presence; if the Key is the same, Since stays. Members of the group receive an
// Entered event if p is the first of its Key, and a Changed event if the Meta has other
// bytes than that of the presence it replaces, and the same Key. Consumers use
// consumer.Conn.Enter, which exits by itself.
//
// Errors: an invalid name, a p that is not within bounds, ctx's, the driver's, ErrBehind if
// a few hundred events of the group wait and none is delivered for a second,
// errors.ErrUnsupported if the driver does not implement presence; then p has not entered.
// How many may be present is not limited.
func (l *Layer) Enter(ctx context.Context, group string, p Presence) error {
	if err := l.usable(ctx, errors.Join(ValidName(group), checkPresence(&p))); err != nil {
		return err
	}
	if p.Since.IsZero() {
		p.Since = time.Now()
	}
	p.Since = p.Since.UTC().Round(0)
	b := l.backEnd()
	d, err := b.presencer()
	if err != nil {
		return err
	}
	ctx, end := b.startCall(ctx)
	return end(d.Enter(ctx, group, p))
}

// Exit removes the presence of this ID from group; if it is not there, Exit has no effect.
// Members receive an Exited event if it was the last of its Key. Errors as in Enter, but not
// ErrBehind; when it is ErrDown, or ctx's and ctx has ended meanwhile, the driver makes up
// for it.
func (l *Layer) Exit(ctx context.Context, group, id string) error {
	return l.ExitAfter(ctx, group, id, 0)
}

// ExitAfter is Exit for a presence that has been lost and may come back: it stays for as
// long as linger says, at most MaxLinger. If its Key enters again before that, with any ID
// and on any node, the new presence replaces it, and members receive neither Exited nor
// Entered, but Changed if the Meta has other bytes. Otherwise it exits when linger has
// passed. While the back end is down, or if this node dies, it may be earlier. Errors as in
// Exit, and a linger that is negative or too long.
func (l *Layer) ExitAfter(ctx context.Context, group, id string, linger time.Duration) error {
	if err := l.usable(ctx, errors.Join(ValidName(group), validLinger(linger))); err != nil {
		return err
	}
	b := l.backEnd()
	d, err := b.presencer()
	if err != nil {
		return err
	}
	ctx, end := b.startCall(ctx)
	return end(d.Exit(ctx, group, id, linger))
}

func validLinger(d time.Duration) error {
	if d < 0 || d > MaxLinger {
		return fmt.Errorf("wye: a presence can linger for up to %v, not for %v", MaxLinger, d)
	}
	return nil
}

// Present returns the presences in group, on all nodes, ordered by Since and then by ID.
// The caller may change the slice, but not the bytes of Meta. Errors: an invalid name, the
// error of ctx, the error of the driver, errors.ErrUnsupported if the driver has no
// presence.
func (l *Layer) Present(ctx context.Context, group string) ([]Presence, error) {
	return l.present(ctx, group, "")
}

// PresentKey is Present for one key: it returns only the presences of that key, for example
// of a user. If there are none, it returns an empty slice and no error.
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
	b := l.backEnd()
	d, err := b.presencer()
	if err != nil {
		return nil, err
	}
	ctx, end := b.startCall(ctx)
	all, err := d.Present(ctx, group, key)
	return all, end(err)
}

// CountPresent returns how many are present in group, on all nodes, without reading them.
// Errors as in Present.
func (l *Layer) CountPresent(ctx context.Context, group string) (PresenceCount, error) {
	if err := l.usable(ctx, ValidName(group)); err != nil {
		return PresenceCount{}, err
	}
	b := l.backEnd()
	d, err := b.presencer()
	if err != nil {
		return PresenceCount{}, err
	}
	ctx, end := b.startCall(ctx)
	count, err := d.Count(ctx, group)
	return count, end(err)
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
