package protocol

import (
	"context"
	"fmt"
	"time"
)

// Conn is the application's side of a connection. All methods are safe for concurrent
// use, also after the connection has closed. It is a struct, not an interface, so that
// it can grow.
type Conn struct{ s *Session }

// Context returns the context of the callbacks. It ends when the connection closes;
// context.Cause then returns how, as a *CloseError. [Conn.Go] starts goroutines with it.
func (c *Conn) Context() context.Context { return c.s.ctx }

// FinalContext is for a Receive that the peer's close has interrupted and that has to
// go on for a moment: it returns the context that Receive gets for messages which are
// handed over after that close. It ends a second after its first use, and at once
// when our side closes the connection, or when all messages have been handled. While
// the connection is open, and when nothing more is handed over, it is Context's.
func (c *Conn) FinalContext() context.Context { return c.s.finalContext() }

// Accept answers the handshake now. Returning nil from Connect does the same; call
// Accept to choose a subprotocol or headers, or to go on working in Connect while the
// peer may already send, which waits until Connect has returned. Until then the request
// stays alive.
//
// It returns an error if the handshake is already answered; any other error means that
// the connection could not be accepted, and never will be.
func (c *Conn) Accept(o *AcceptOptions) error {
	if o == nil {
		o = &AcceptOptions{}
	}
	return c.s.accept(*o)
}

// Limit replaces the limits of the connection by those fields of l that are not zero
// (MaxMessage without MaxFrame is both). It is for middleware, which calls it in Connect
// before the inner Connect, so that the innermost call has the last word. Once the
// handshake is answered it changes nothing and returns an error.
func (c *Conn) Limit(l Limits) error { return c.s.limit(l) }

// Answered calls f once, when Connect has returned and the peer has its answer, and
// before any other callback: with nil if the connection was accepted, otherwise with the
// answer to the peer, which f must not change. If the connection was accepted before, f
// is called at once; if it was refused before, f is never called. A panic in f closes
// the connection.
func (c *Conn) Answered(f func(refused *RejectError)) { c.s.answered(f) }

// Send queues a message and returns. nil means queued, not delivered. Before the
// handshake is answered, messages wait behind the answer. Send does not block, except
// under OverflowBlock, where ctx bounds the wait; ctx never closes the connection.
//
// Errors: a *CloseError, which matches ErrClosed, once the connection has closed;
// ErrNotUTF8 for text that is not UTF-8, unless Limits.RepairText has it repaired;
// ErrDropped or ErrSlow when the queue is full; ErrQueueFull when too much waits for the
// answer; ctx's.
func (c *Conn) Send(ctx context.Context, m Message) error {
	if !m.valid() {
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

// ValidText returns m as this connection sends it: m itself, or, if it is text that is
// not UTF-8, what Limits.RepairText makes of it: ErrNotUTF8, which is counted, or a
// copy that is repaired. Send does so by itself; it is for code that sends to others in
// the connection's name.
func (c *Conn) ValidText(m Message) (Message, error) {
	if m.valid() {
		return m, nil
	}
	return c.s.applyTextPolicy(m)
}

// Offer is SendPrepared for group sends: it never blocks, so that OverflowBlock
// means OverflowClose here. Layers call it.
//
// Events and messages keep their order: while events wait for the handler, or one is
// being handled, p waits behind them, within Limits.QueueEvents and
// Limits.QueueEventBytes. nil means queued there, too. When the events before it have
// been handled, p is treated as if it were sent then.
func (c *Conn) Offer(p *Prepared) error { return c.s.offer(p) }

// Close closes the connection with code and reason after what is queued, and returns.
// The first close counts; later calls do nothing. Before the handshake is answered,
// Close refuses the connection.
func (c *Conn) Close(code CloseCode, reason string) {
	c.s.closeSession(CloseStatus{Code: code, Reason: reason}, true, nil)
}

// CloseWith closes the connection as a callback that returned err would, or with
// CloseNormal if err is nil. It is for code that runs beside the callbacks.
func (c *Conn) CloseWith(err error) {
	if err == nil {
		c.Close(CloseNormal, "")
		return
	}
	c.s.closeWith(err)
}

// RTT returns how long the last ping took to be answered: the network's round
// trip, and the time that the peer and its proxies took. It is 0 before the
// first answer, and always for a protocol without pings.
func (c *Conn) RTT() time.Duration {
	if p, ok := c.s.t.(pinger); ok {
		return p.RTT()
	}
	return 0
}

// Traffic returns what the connection has carried so far.
func (c *Conn) Traffic() Traffic { return c.s.traffic() }

// ShouldYield reports whether the mailbox or the outgoing queue is more than half
// full, and has been for less than a second. A sender in the same process that calls
// runtime.Gosched then lets the connection drain it. Layers call it after Post and
// Offer. It costs one atomic load.
func (c *Conn) ShouldYield() bool { return c.s.shouldYield() }

// Post queues an event for the handler. Layers call it; it never blocks. If more is
// waiting than Limits.QueueEvents and Limits.QueueEventBytes allow,
// Limits.EventOverflow says what happens: the connection is closed and ErrBusy
// returned, or an event is dropped, with ErrDropped if it is this one.
func (c *Conn) Post(e *Event) error { return c.s.post(e) }

// MayJoin returns an error that matches ErrTooMany, and counts it, if the
// connection is in as many groups as Limits.Groups allows, or more. consumer.Conn calls
// it, and keeps the number.
func (c *Conn) MayJoin(groups int) error {
	c.s.mu.Lock()
	limit := c.s.limits.Groups
	c.s.mu.Unlock()
	if groups < limit {
		return nil
	}
	c.s.shared.Counters.groupsRefused.Add(1)
	return fmt.Errorf("%w: the connection has %d, as many as Limits.Groups allows; "+
		"let it leave some, or raise that limit, for one route with router.Limit", errTooManyGroups, groups)
}

// Go calls f on a goroutine of the connection's own, beside the callbacks. What f
// returns means what it means in a callback: nil only ends the goroutine; the error of
// [NewCloseError] closes the connection with its code; any other error closes it with
// [CloseInternalError] and is logged, unless it only passes on that the connection has
// closed. A panic, or runtime.Goexit, costs the connection and nothing else: it is
// logged with its stack and counted. Before the handshake is answered, a close refuses
// the connection.
//
// ctx is Context: it ends when the connection closes, and f must return then. Disconnect
// waits for that, after the last Receive and Event, for ten seconds; so Disconnect may
// use what f has used without a lock, and the connection is in its groups while f runs.
// A function that has not returned by then is logged and counted
// (Stats.GoroutinesAbandoned), and Disconnect runs beside it.
//
// Go may be called at any time, also in Connect. It does not wait. Errors, with which f
// is not called: a *CloseError, which matches ErrClosed, once the connection has closed;
// ErrTooMany when
// Limits.Goroutines are running, which is counted. A nil f panics.
func (c *Conn) Go(f func(ctx context.Context) error) error { return c.s.startGoroutine(f) }

// Defer calls f once when the connection is over: after Disconnect, or after it
// was refused; the last function given runs first. If it is over already, f is
// called at once. A panic in f is contained and logged.
func (c *Conn) Defer(f func()) { c.s.deferred(f) }
