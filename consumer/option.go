package consumer

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/wye-go/wye/internal/errtext"
	"github.com/wye-go/wye/internal/plumbing"
	"github.com/wye-go/wye/layers"
)

// Option configures the consumers of type C of one application. [On], [Groups], [Case],
// [OnDecodeError] and [PresenceLinger] return Options.
type Option[C any] interface{ apply(s *spec[C]) }

// optionFunc is an Option that is a function.
type optionFunc[C any] func(s *spec[C])

func (f optionFunc[C]) apply(s *spec[C]) { f(s) }

// These functions call a method of the consumer, which is their first argument.
type (
	receiveFunc[C any] func(C, context.Context, *Conn, Message) error
	eventFunc[C any]   func(C, context.Context, *Conn, *Event) error
)

// spec is what all connections of one application share.
type spec[C any] struct {
	events map[string]eventFunc[C]
	groups []string
	json   jsonSpec[C]
	linger time.Duration

	unreadLogged atomic.Bool
}

// jsonSpec has the options about JSON messages.
type jsonSpec[C any] struct {
	onError func(C, context.Context, *Conn, Message, error) error // nil: close the connection
	cases   map[string]receiveFunc[C]                             // by name; for JSONBy
}

func newSpec[C any](opts []Option[C]) *spec[C] {
	s := &spec[C]{events: map[string]eventFunc[C]{}}
	for _, o := range opts {
		o.apply(s)
	}
	return s
}

// refuse panics if there are options about JSON, which constructor does not use.
func (s *jsonSpec[C]) refuse(constructor string) {
	if s.onError != nil || len(s.cases) > 0 {
		panic("wye: " + constructor + ": consumer.OnDecodeError and consumer.Case are for consumer.JSON and consumer.JSONBy")
	}
}

// unread returns the error for a message that reached only Base.Receive. For the first
// one of an application it is an error that is logged and says what may be wrong.
func (s *spec[C]) unread(user C) error {
	if s.unreadLogged.Swap(true) {
		return plumbing.ErrUnread
	}
	return fmt.Errorf("%w: %T declares no method Receive (is its name misspelt?); "+
		"declare one that returns nil to ignore messages; later ones are only counted", plumbing.ErrUnread, user)
}

// wants reports whether there is a handler for events of typ.
func (s *spec[C]) wants(typ string) bool { return s.events[typ] != nil }

// On declares h as the handler of events of type t. It handles those that are sent to a
// group that the connection is in, or to its channel name. h is usually a method
// expression:
//
//	consumer.On(Said, (*Chat).said)
//
// h is called as [Consumer].Receive is, and an error that it returns means the same.
// The members of a group in one process share the payload: h must not change what its
// slices and maps hold. A payload that is a pointer may hold a value that the first
// handler computes for all of them, such as an encoded message: see the Example
// (Prepared).
//
// Events that have no handler are counted, and the first of each type is logged. So are
// events whose payload does not fit P. On panics if h is nil or t has no name; the
// application's constructor panics if t has two handlers.
func On[C, P any](t EventType[P], h func(C, context.Context, *Conn, P) error) Option[C] {
	if h == nil {
		panic(fmt.Sprintf("wye: consumer.On: the handler of %q is nil", t.Name))
	}
	if t.Name == "" {
		panic("wye: consumer.On: the event type has no name; declare it as consumer.EventType[P]{Name: \"chat.message\"}")
	}
	return optionFunc[C](func(s *spec[C]) {
		if s.events[t.Name] != nil {
			panic(fmt.Sprintf("wye: consumer.On: event type %q has two handlers in one consumer", t.Name))
		}
		s.events[t.Name] = func(v C, ctx context.Context, c *Conn, e *Event) error {
			p, err := t.Payload(e)
			if err != nil {
				return err
			}
			return h(v, ctx, c, p)
		}
	})
}

// Groups makes every connection a member of groups. It joins them when Connect has
// returned nil, before any event or message is delivered. If joining fails, the
// connection is refused. Groups panics if a name is not valid.
func Groups[C any](groups ...string) Option[C] {
	for _, g := range groups {
		if err := layers.ValidName(g); err != nil {
			panic("wye: consumer.Groups: " + errtext.Inner(err))
		}
	}
	return optionFunc[C](func(s *spec[C]) { s.groups = append(s.groups, groups...) })
}

// PresenceLinger keeps the presences of a connection for d after the connection has
// closed. If the peer comes back within that time and enters with the same key, the
// other members receive neither [Exited] nor [Entered]. [Conn.Exit] is not delayed: call it
// in Disconnect to make a peer that has closed the connection itself exit at once. See
// the Example, and [layers.Layer.ExitAfter].
//
// The default is 0. PresenceLinger panics if d is negative or more than
// [layers.MaxLinger].
func PresenceLinger[C any](d time.Duration) Option[C] {
	if d < 0 || d > layers.MaxLinger {
		panic(fmt.Sprintf("wye: consumer.PresenceLinger: %v is out of range; use 0 to %v", d, layers.MaxLinger))
	}
	return optionFunc[C](func(s *spec[C]) { s.linger = d })
}
