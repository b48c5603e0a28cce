package protocol

import (
	"context"
	"fmt"
	"time"
)

// Conn is the application's side of a connection. All methods are safe for concurrent
// use, also after the connection has closed. It is a struct, not an interface, so that
// methods can be added.
type Conn struct{ s *Session }

// Context returns the context of the callbacks. It ends when the connection closes, and
// context.Cause then returns a *CloseError that says how. The functions of [Conn.Go] get
// this context.
func (c *Conn) Context() context.Context { return c.s.context() }

// FinalContext returns a context for a Receive that has to finish its work after the peer
// has closed, when Context has ended. It is the context that Receive gets for messages
// which are handed over after that close. It ends a second after its first use, and at
// once when the server's side closes the connection or when all messages have been
// handled. While the connection is open, and when no message is left, FinalContext returns
// the same as Context.
func (c *Conn) FinalContext() context.Context { return c.s.finalContext() }

// Accept answers the handshake now, with the options o, which may be nil. A Connect that
// returns nil has the same effect. Call Accept to choose a subprotocol or headers, or to
// let the peer send while Connect goes on; what the peer sends waits until Connect has
// returned. Until then Scope.Request is valid.
//
// If the handshake is already answered, Accept returns an error and has no other effect. If
// the connection cannot be accepted, Accept returns an error, and the connection is refused.
func (c *Conn) Accept(o *AcceptOptions) error {
	if o == nil {
		o = &AcceptOptions{}
	}
	return c.s.accept(*o)
}

// Limit replaces those limits of the connection whose fields in l are not zero. If l has
// MaxMessage and not MaxFrame, MaxMessage is used for both. Limit is for middleware, which
// calls it in Connect before the inner Connect: the innermost call is the last, and wins.
// Once the handshake is answered, Limit changes nothing and returns an error.
func (c *Conn) Limit(l Limits) error { return c.s.limit(l) }

// Answered has f called once, when Connect has returned and the handshake is answered, and
// before any other callback. refused is nil if the connection was accepted, and otherwise
// the answer that the peer got, which f must not change. If the connection was accepted
// before, f is called at once; if it was refused before, f is never called. A panic in f
// closes the connection.
func (c *Conn) Answered(f func(refused *RejectError)) { c.s.answered(f) }

// Send queues a message and returns. nil means queued, not delivered. Before the
// handshake is answered, messages wait behind the answer. Send does not block, except
// under OverflowBlock, where ctx bounds the wait; ctx never closes the connection.
//
// Errors: a *CloseError, which matches ErrClosed, once the connection has closed;
// ErrNotUTF8 for text that is not UTF-8, unless Limits.RepairText is set; ErrDropped or
// ErrSlow when the queue is full; ErrQueueFull when too much waits behind the answer; the
// error of ctx.
func (c *Conn) Send(ctx context.Context, m Message) error {
	if !isValid(&m) {
		var err error
		if m, err = c.s.applyTextPolicy(m); err != nil {
			return err
		}
	}
	if !c.s.isOpen() {
		if done, err := c.s.sendEarly(outgoing{msg: m}); done {
			return err
		}
	}
	err := c.s.t.Send(m)
	if err == nil {
		return nil
	}
	return c.s.overflow(ctx, err, outgoing{msg: m})
}

// SendPrepared is Send for a message that many connections get: it is copied
// and encoded once for all of them.
func (c *Conn) SendPrepared(ctx context.Context, p *Prepared) error {
	if p.invalid {
		var err error
		if p, err = c.s.applyTextPolicyToPrepared(p); err != nil {
			return err
		}
	}
	done, err := c.s.trySend(p)
	if done || err == nil {
		return err
	}
	return c.s.overflow(ctx, err, outgoing{prepared: p})
}

// ValidText returns m if it is binary, or text that is UTF-8. Otherwise it returns a copy
// with U+FFFD in place of the bytes that are not UTF-8, if Limits.RepairText is set, or
// ErrNotUTF8. Either way the message is counted as Stats.MessagesInvalid. Send does this by
// itself. ValidText is for code that sends the connection's messages to other connections.
func (c *Conn) ValidText(m Message) (Message, error) {
	if isValid(&m) {
		return m, nil
	}
	return c.s.applyTextPolicy(m)
}

// Offer is SendPrepared for group sends: it never blocks, so that OverflowBlock
// means OverflowClose here. Layers call it.
//
// Events and messages keep their order: while events wait for the handler, or one is
// being handled, p waits behind them, and counts for Limits.QueueEvents and
// Limits.QueueEventBytes. Offer then returns nil, and p is sent when these events have
// been handled.
func (c *Conn) Offer(p *Prepared) error { return c.s.offer(p) }

// Close closes the connection with code and reason, and does not wait: the close is sent
// after the messages that are queued. The first close counts; later calls have no effect.
// Before the handshake is answered, Close refuses the connection.
func (c *Conn) Close(code CloseCode, reason string) {
	c.s.closeSession(CloseStatus{Code: code, Reason: reason}, true, nil)
}

// CloseWith closes the connection as if a callback had returned err, or with CloseNormal
// if err is nil. It is for code that runs outside the callbacks.
func (c *Conn) CloseWith(err error) {
	if err == nil {
		c.Close(CloseNormal, "")
		return
	}
	c.s.closeWith(err)
}

// RTT returns the time from the last ping that was answered to its answer: the round trip
// of the network, and the time that the peer and its proxies took. It is 0 before the first
// answer, and for a protocol without pings.
func (c *Conn) RTT() time.Duration {
	if p, ok := c.s.t.(pinger); ok {
		return p.RTT()
	}
	return 0
}

// Traffic returns how many messages and bytes the connection has carried so far.
func (c *Conn) Traffic() Traffic { return c.s.traffic() }

// ShouldYield reports whether the mailbox or the outgoing queue is more than half full, and
// has been for less than a second. If so, a sender in the same process calls
// runtime.Gosched, so that the connection can drain it. Layers call ShouldYield after Post
// and Offer. It costs one atomic load.
func (c *Conn) ShouldYield() bool { return c.s.shouldYield() }

// Post queues an event for the handler. Layers call it; it never blocks. If more events
// wait than Limits.QueueEvents and Limits.QueueEventBytes allow, Limits.EventOverflow
// decides: Post closes the connection and returns ErrBusy, or drops e and returns
// ErrDropped, or drops the oldest event and returns nil. If the connection has closed, it
// returns a *CloseError.
func (c *Conn) Post(e *Event) error { return c.s.post(e) }

// MayJoin returns nil if a connection that is in so many groups may join another one, and
// otherwise an error that matches ErrTooMany, which is counted: see Limits.Groups.
// consumer.Conn calls it.
func (c *Conn) MayJoin(groups int) error {
	c.s.mu.Lock()
	limit := c.s.limits().Groups
	c.s.mu.Unlock()
	if groups < limit {
		return nil
	}
	c.s.options().Counters.groupsRefused.Add(1)
	return fmt.Errorf("%w: the connection has %d, as many as Limits.Groups allows; "+
		"let it leave some, or raise that limit, for one route with router.Limit", errTooManyGroups, groups)
}

// Go calls f on a new goroutine, concurrently with the callbacks, and returns. The result
// of f has the effect that it has in a callback (see [Handler]): nil ends the goroutine
// and nothing else; the error of [NewCloseError] closes the connection with its code;
// another error closes it with [CloseInternalError] and is logged, unless it says only that
// the connection has closed. A panic, or runtime.Goexit, closes this connection, is logged
// with its stack and counted. Before the handshake is answered, a close refuses the
// connection.
//
// ctx is Context: it ends when the connection closes, and then f must return. After the
// last Receive and Event, Disconnect waits up to ten seconds for f to return. So Disconnect
// may use without a lock what f has used, and the connection is in its groups while f runs.
// If f has not returned by then, that is logged and counted (Stats.GoroutinesAbandoned),
// and Disconnect runs concurrently with it.
//
// Go may be called at any time, also in Connect. Errors, with which f is not called: a
// *CloseError, which matches ErrClosed, once the connection has closed; an error that
// matches ErrTooMany, and is counted, if as many functions are running as Limits.Goroutines
// allows. If f is nil, Go panics.
func (c *Conn) Go(f func(ctx context.Context) error) error { return c.s.startGoroutine(f) }

// Defer has f called once, after Disconnect has returned or the connection was refused.
// The function that was deferred last is called first. If that time has passed, f is
// called at once. A panic in f is contained and logged.
func (c *Conn) Defer(f func()) { c.s.deferred(f) }
