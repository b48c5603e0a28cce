package consumer

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/wye-go/wye/internal/errtext"
	"github.com/wye-go/wye/internal/plumbing"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/protocol"
)

// Option configures the consumers of type C of one application. Options are made by
// [On], [Groups], [Case], [OnDecodeError] and [PresenceLinger], and are read once, when
// the application is made.
type Option[C any] interface{ apply(s *spec[C]) }

// optionFunc is an Option that is a function.
type optionFunc[C any] func(s *spec[C])

func (f optionFunc[C]) apply(s *spec[C]) { f(s) }

// spec is what all connections of one application share.
type spec[C any] struct {
	events map[string]eventFunc[C]
	groups []string
	json   jsonSpec[C]
	linger time.Duration

	unreadLogged atomic.Bool
}

// unread returns the error for a message that reached only Base.Receive. The first one
// of an application says what may be wrong, and is logged.
func (s *spec[C]) unread(user C) error {
	if s.unreadLogged.Swap(true) {
		return plumbing.ErrUnread
	}
	return fmt.Errorf("%w: %T declares no method Receive (is its name misspelt?); "+
		"declare one that returns nil to ignore messages; later ones are only counted", plumbing.ErrUnread, user)
}

type eventFunc[C any] func(C, context.Context, *Conn, *protocol.Event) error

func newSpec[C any](opts []Option[C]) *spec[C] {
	s := &spec[C]{events: map[string]eventFunc[C]{}}
	for _, o := range opts {
		o.apply(s)
	}
	return s
}

// wants reports whether there is a handler for events of typ.
func (s *spec[C]) wants(typ string) bool { return s.events[typ] != nil }

// On has h handle the events of type t that reach the consumer, through one of
// its groups or its channel name. h is a method expression as a rule:
//
//	consumer.On(Said, (*Chat).said)
//
// It is called as Receive is, and what it returns means the same. The payload
// is shared by all members of the group in this process: h must not change what
// its slices and maps hold. (A P that is a pointer may hold what the first of them
// makes for all, such as an encoded message; see the example.) Only declared types
// reach a consumer. Others are counted, and the first of each type is logged; so
// are payloads that do not fit P. Declaring a type twice, or one without a name,
// panics.
func On[C, P any](t protocol.EventType[P], h func(C, context.Context, *Conn, P) error) Option[C] {
	if h == nil {
		panic(fmt.Sprintf("wye: consumer.On: the handler of %q is nil", t.Name))
	}
	if t.Name == "" {
		panic("wye: consumer.On: the event type has no name; declare it as protocol.EventType[P]{Name: \"chat.message\"}")
	}
	return optionFunc[C](func(s *spec[C]) {
		if s.events[t.Name] != nil {
			panic(fmt.Sprintf("wye: consumer.On: event type %q has two handlers in one consumer", t.Name))
		}
		s.events[t.Name] = func(v C, ctx context.Context, c *Conn, e *protocol.Event) error {
			p, err := t.Payload(e)
			if err != nil {
				return err
			}
			return h(v, ctx, c, p)
		}
	})
}

// Groups joins every connection to groups, when Connect has returned nil and
// before anything is delivered. An invalid name panics.
func Groups[C any](groups ...string) Option[C] {
	for _, g := range groups {
		if err := layers.ValidName(g); err != nil {
			panic("wye: consumer.Groups: " + errtext.Inner(err))
		}
	}
	return optionFunc[C](func(s *spec[C]) { s.groups = append(s.groups, groups...) })
}
