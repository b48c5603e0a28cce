package protocol

import (
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/wye-go/wye/internal/logs"
)

// Stats are the counters of a protocol server since it was made. All but Open
// only grow. There is a field for each thing that can be told apart, however many that
// makes: programs read them by their names.
type Stats struct {
	Open     int64 // connections now open, from the answer until Disconnect has returned
	Accepted int64
	Refused  int64 // by the application or for a fault of its; handshakes that are malformed count elsewhere
	Panics   int64
	Failures int64 // faults of the application: errors of callbacks that close with CloseInternalError, and panics

	MessagesUnread  int64 // came in and reached nobody: too late, or not read by the application
	MessagesDropped int64 // going out, dropped because the queue was full, or still behind events when the connection ended
	SlowClosed      int64 // connections closed because their peer read too slowly
	BusyClosed      int64 // connections closed because too many events waited for their consumer
	HeldClosed      int64 // connections closed because all held too much of incoming messages (SessionOptions.ReadBytes)

	MessagesInvalid int64 // going out, text that is not UTF-8: refused or repaired (Limits.RepairText)

	RatePauses int64 // how often a peer was not read from because of Limits.Rate
	RateClosed int64 // connections closed because their peer sent faster than Limits.Rate

	MessagesConflated int64 // going out, replaced by a later one with the same Message.Key; not in MessagesDropped

	EventsDropped     int64 // waited for a consumer when its connection ended
	EventsOverflowed  int64 // dropped because too many waited (Limits.EventOverflow), with messages that were sent behind them
	EventsUnknown     int64 // of a type that the consumer declared no handler for
	EventsUndecodable int64 // whose payload did not fit the declared type

	GroupsRefused int64 // joins and the like, of connections that had as many groups as Limits.Groups

	GoroutinesRefused   int64 // calls of Conn.Go while Limits.Goroutines were running
	GoroutinesAbandoned int64 // functions of Conn.Go that had not returned ten seconds after the end
}

// Counters count what happens to the connections of one protocol server. The
// zero value is ready for use, by any number of sessions at once.
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

// log writes a line that a peer may cause, unless there were many with the same text.
// attrs is called only if the line is written.
func (c *Counters) log(log *slog.Logger, level slog.Level, msg string, attrs func() []any) {
	c.lines.Log(log, level, msg, msg, attrs)
}

// maxLogged is how many event types are logged as unknown, all in all.
const maxLogged = 1000

// HeldBytes returns how many bytes are counted in SessionOptions.ReadBytes now.
func (c *Counters) HeldBytes() int { return c.reads.held() }

// Stats returns the counters as they are now. They are read one after the
// other, so that a sum may be off by what happens meanwhile.
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

// unknownEvent counts an event that nobody declared, and logs the first of each
// type.
func (c *Counters) unknownEvent(log *slog.Logger, typ string) {
	c.eventsUnknown.Add(1)
	typ = logs.Cut(typ)
	if !c.isNews(typ) {
		return
	}
	log.Warn("wye: a consumer was sent an event of a type that it declared no handler for; "+
		"declare it with consumer.On, or do not send it there. Later ones are only counted.", "type", typ)
}

// isNews reports whether typ should be logged, and remembers that it is.
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

// dropped counts what waited for a consumer when its connection ended.
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
