package protocol

import (
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/wye-go/wye/internal/logs"
)

// Stats are the counters of a protocol server since it was made. All but Open only grow.
type Stats struct {
	Open     int64 // connections now open, from the answer until Disconnect has returned
	Accepted int64 // connections
	Refused  int64 // connections, by the application or because it failed; not malformed handshakes
	Panics   int64 // of the application
	Failures int64 // errors of callbacks that close with CloseInternalError, and panics

	MessagesUnread  int64 // incoming: came too late, or the application did not read them
	MessagesDropped int64 // outgoing: the queue was full, or they waited behind events when the connection closed
	SlowClosed      int64 // connections closed because their peer read too slowly
	BusyClosed      int64 // connections closed because too many events waited for their consumer
	HeldClosed      int64 // connections closed because of SessionOptions.ReadBytes

	MessagesInvalid int64 // outgoing: text that is not UTF-8, refused or repaired (Limits.RepairText)

	RatePauses int64 // how often a peer was not read from because of Limits.Rate
	RateClosed int64 // connections closed because their peer sent faster than Limits.Rate

	MessagesConflated int64 // outgoing: replaced by a later one with the same Message.Key; not in MessagesDropped

	EventsDropped     int64 // waited for a consumer when its connection closed
	EventsOverflowed  int64 // dropped by Limits.EventOverflow, with messages of group sends that waited among them
	EventsUnknown     int64 // of a type for which the consumer declares no handler
	EventsUndecodable int64 // whose payload did not fit the declared type

	GroupsRefused int64 // calls that Limits.Groups refused, such as joins

	GoroutinesRefused   int64 // calls of Conn.Go that Limits.Goroutines refused
	GoroutinesAbandoned int64 // functions of Conn.Go that had not returned ten seconds after the close
}

// Counters hold the [Stats] of one protocol server. The zero value is ready for use. Any
// number of sessions may use it at once.
type Counters struct {
	reads readBudget

	open, accepted, refused, panics, failures atomic.Int64

	messages struct{ unread, dropped, conflated, invalid atomic.Int64 }

	slowClosed, busyClosed, heldClosed, ratePauses, rateClosed atomic.Int64

	eventsDropped, eventsOverflowed, eventsUnknown, eventsUndecodable atomic.Int64

	groupsRefused, goroutinesRefused, goroutinesAbandoned atomic.Int64

	logged struct { // the event types that were logged as unknown
		sync.Mutex
		types map[string]struct{}
	}
	lines logs.Limiter
}

// log writes a line that a peer can cause, unless many with the same text were written
// shortly before. attrs is called only if the line is written.
func (c *Counters) log(log *slog.Logger, level slog.Level, msg string, attrs func() []any) {
	c.lines.Log(log, level, msg, msg, attrs)
}

// maxLogged is how many event types are logged as unknown at most.
const maxLogged = 1000

// HeldBytes returns how many bytes are now counted for SessionOptions.ReadBytes.
func (c *Counters) HeldBytes() int { return c.reads.held() }

// Stats returns the current counters. They are not read all at the same moment, so that
// sums of them may be slightly wrong while connections are active.
func (c *Counters) Stats() Stats {
	return Stats{
		Open:              c.open.Load(),
		Accepted:          c.accepted.Load(),
		Refused:           c.refused.Load(),
		Panics:            c.panics.Load(),
		Failures:          c.failures.Load(),
		MessagesUnread:    c.messages.unread.Load(),
		MessagesDropped:   c.messages.dropped.Load(),
		SlowClosed:        c.slowClosed.Load(),
		BusyClosed:        c.busyClosed.Load(),
		HeldClosed:        c.heldClosed.Load(),
		RatePauses:        c.ratePauses.Load(),
		RateClosed:        c.rateClosed.Load(),
		MessagesConflated: c.messages.conflated.Load(),
		MessagesInvalid:   c.messages.invalid.Load(),
		EventsDropped:     c.eventsDropped.Load(),
		EventsOverflowed:  c.eventsOverflowed.Load(),
		EventsUnknown:     c.eventsUnknown.Load(),
		EventsUndecodable: c.eventsUndecodable.Load(),
		GroupsRefused:     c.groupsRefused.Load(),

		GoroutinesRefused:   c.goroutinesRefused.Load(),
		GoroutinesAbandoned: c.goroutinesAbandoned.Load(),
	}
}

// unknownEvent counts an event for which its consumer declares no handler, and logs the
// first one of each type.
func (c *Counters) unknownEvent(log *slog.Logger, typ string) {
	c.eventsUnknown.Add(1)
	typ = logs.Cut(typ)
	if !c.isNews(typ) {
		return
	}
	log.Warn("wye: a consumer got an event for which it declares no handler; "+
		"declare one with consumer.On, or do not send it there. Later ones are only counted.", "type", typ)
}

// isNews reports whether typ has not been logged yet and may be, and records it.
func (c *Counters) isNews(typ string) bool {
	c.logged.Lock()
	defer c.logged.Unlock()
	if _, known := c.logged.types[typ]; known || len(c.logged.types) >= maxLogged {
		return false
	}
	if c.logged.types == nil {
		c.logged.types = make(map[string]struct{})
	}
	c.logged.types[strings.Clone(typ)] = struct{}{}
	return true
}

// dropped counts the entries that were in a mailbox when its connection closed.
func (c *Counters) dropped(was contents) {
	c.eventsDropped.Add(int64(was.events))
	c.messages.unread.Add(int64(was.messages))
	c.messages.dropped.Add(int64(was.sent))
}

// closed counts the close of an open connection.
func (c *Counters) closed(st CloseStatus) {
	switch st.Err {
	case errSlow: //nolint:errorlint // this very value: wrapped, it is about another connection
		c.slowClosed.Add(1)
	case errBusy:
		c.busyClosed.Add(1)
	case errFast:
		c.rateClosed.Add(1)
	case errHeld:
		c.heldClosed.Add(1)
	}
}
