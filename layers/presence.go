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

// Enter adds the presence p to group, until Exit removes it. It replaces a presence with
// the same ID; if the Key is the same too, Since stays. Members of the group receive an
// Entered event if p is the first presence with its Key, and a Changed event if p replaces
// one with the same Key and another Meta. The number of presences is not limited. Consumers
// use consumer.Conn.Enter, which calls Exit when the connection closes.
//
// If Enter returns an error, p was not added. Errors: an invalid name; a field of p that is
// out of bounds; the error of ctx or of the driver; ErrBehind if a few hundred events of the
// group wait and none is delivered for a second; errors.ErrUnsupported if the driver has no
// presence.
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

// Exit removes the presence with this ID from group; if there is none, Exit has no effect.
// Members receive an Exited event if it was the last presence with its Key. Errors as in
// Enter, except ErrBehind. After ErrDown, or if ctx has ended during the call, the driver
// removes the presence later.
func (l *Layer) Exit(ctx context.Context, group, id string) error {
	return l.ExitAfter(ctx, group, id, 0)
}

// ExitAfter is Exit after a delay, for a connection that was lost and may come back. The
// presence stays for the time linger, at most MaxLinger. If a presence with the same Key
// enters during that time, with any ID and on any node, it replaces this one, and members
// receive neither Exited nor Entered, but Changed if the Meta differs. If the back end goes
// down or this node crashes, the presence may exit earlier. Errors as in Exit, and a linger
// that is negative or too long.
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
