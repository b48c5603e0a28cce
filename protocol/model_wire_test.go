package protocol_test

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/wye-go/wye/internal/plumbing"
	"github.com/wye-go/wye/protocol"
)

// do does one deed.
func (r *run) do(ctx context.Context, d deed) {
	c := r.session.Conn()
	switch d.what {
	case doSend, doPrepare, doOffer:
		r.send(ctx, c, d)
	case doPost:
		r.note(entry{what: posting, id: d.id})
		e := protocol.EventType[map[string]int]{Name: strconv.Itoa(d.id)}.New(nil)
		r.note(entry{what: posted, id: d.id, err: c.Post(e)})
	case doClose:
		r.note(entry{what: calling, id: d.id, status: protocol.CloseStatus{Code: d.code, Reason: "deed"}})
		c.Close(d.code, "deed")
	case doGo:
		r.note(entry{what: starting, id: d.id})
		err := c.Go(func(ctx context.Context) error { return r.play(ctx, goroutine, d.id, r.plan.started[d.id]) })
		r.note(entry{what: started, id: d.id, err: err})
	case doDefer:
		r.note(entry{what: deferring, id: d.id})
		c.Defer(func() {
			if err := r.play(context.Background(), deferredFun, d.id, r.plan.deferred[d.id]); err != nil {
				r.faultf("a deferred function has no way to return %v", err)
			}
		})
	case doAccept:
		err := c.Accept(nil)
		r.mu.Lock()
		r.mu.unaccepted = err
		r.mu.Unlock()
		if err != nil && !errors.Is(err, plumbing.ErrAccepted) {
			r.note(entry{what: unaccepted, id: d.id, err: err})
		}
	case doBreak:
		r.end(protocol.CloseStatus{Code: protocol.CloseAbnormal, Err: errInternal}, true)
	case doFill:
		r.mu.Lock()
		r.mu.full = true
		r.mu.Unlock()
	case doDrain:
		r.mu.Lock()
		r.mu.full = false
		r.mu.Unlock()
		r.session.Drained()
	}
}

// send sends in the way of the deed, from a buffer that it then overwrites.
func (r *run) send(ctx context.Context, c *protocol.Conn, d deed) {
	if r.plan.limits.Overflow == protocol.OverflowBlock {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), d.wait)
		defer cancel()
	}
	buf := payload(d.id, d.size)
	m := protocol.Message{Data: buf}
	r.note(entry{what: sending, id: d.id, size: len(buf), kind: d.what})
	var err error
	switch d.what {
	case doSend:
		err = c.Send(ctx, m)
	case doPrepare:
		err = c.SendPrepared(ctx, protocol.Prepare(m))
	default:
		err = c.Offer(protocol.Prepare(m))
	}
	r.note(entry{what: sent, id: d.id, kind: d.what, err: err})
	scribble(buf)
}

// end tells the session, as a transport does: once, and not after it has said
// no itself.
func (r *run) end(s protocol.CloseStatus, broken bool) {
	r.mu.Lock()
	if r.mu.told || r.refusedLocked() {
		r.mu.Unlock()
		return
	}
	r.mu.told = true
	r.noteLocked(entry{what: ending, status: s})
	r.mu.Unlock()
	if broken {
		close(r.broken)
	}
	r.session.Ended(s)
}

func (r *run) refusedLocked() bool {
	for _, e := range r.mu.log {
		if e.what == rejected || e.what == answered && e.err != nil {
			return true
		}
	}
	return false
}

// read is the peer: it hands over its messages and then closes, unless the
// network breaks.
func (r *run) read() {
	for _, m := range r.plan.messages {
		if !r.until(m.at) {
			return
		}
		if !r.hand(m) {
			resumed := make(chan struct{})
			r.session.Resume(func() { close(resumed) })
			<-resumed
		}
	}
	if p := r.plan.end; p != nil && r.until(p.at) {
		r.end(protocol.CloseStatus{Code: p.code, Reason: "peer", Remote: true}, false)
	}
}

// until waits for the moment, and reports whether the network still works then.
// A peer that is late still takes a while, so that what it does next happens
// after all that its last message has led to.
func (r *run) until(at time.Duration) bool {
	timer := time.NewTimer(max(at-time.Since(r.begin), r.plan.delay))
	defer timer.Stop()
	select {
	case <-r.broken:
		return false
	case <-timer.C:
		return true
	}
}

// hand hands over one message, and overwrites its bytes as soon as it may. When
// the callback keeps the goroutine that called Receive, it leaves it behind and
// reads on, as an engine does.
func (r *run) hand(m arrival) (more bool) {
	data := payload(m.id, m.size)
	r.mu.Lock()
	if r.mu.told {
		r.mu.Unlock()
		return true
	}
	r.noteLocked(entry{what: handing, id: m.id})
	r.mu.Unlock()
	result := make(chan bool, 1)
	go func() {
		more := true // if the callback ends this goroutine
		defer func() {
			scribble(data)
			result <- more
		}()
		if m.id%3 == 0 {
			more = r.session.Enqueue(protocol.Message{Data: data})
			return
		}
		more = r.session.Receive(protocol.Message{Data: data})
	}()
	blocked := time.NewTimer(1) // time passes only when everybody waits
	defer blocked.Stop()
	select {
	case more = <-result:
		return more
	case <-blocked.C:
		return true
	}
}

// modelWire is a run as the session's transport.
type modelWire struct{ r *run }

func (w modelWire) Accept(protocol.AcceptOptions) (err error) {
	r := w.r
	r.note(entry{what: accepting})
	if r.plan.noAccept {
		err = errNoAnswer
	}
	if r.plan.eager && err == nil {
		go r.read()
	}
	r.pause(r.plan.acceptTakes)
	r.mu.Lock()
	r.mu.answered = time.Since(r.begin)
	r.noteLocked(entry{what: answered, err: err})
	r.mu.Unlock()
	if !r.plan.eager && err == nil {
		go r.read()
	}
	return err
}

func (w modelWire) Reject(e *protocol.RejectError) {
	w.r.note(entry{what: rejected, status: protocol.CloseStatus{Code: protocol.CloseCode(e.Status)}, body: e.Body, err: e})
}

func (w modelWire) Send(m protocol.Message) error           { return w.write(m, doSend) }
func (w modelWire) SendPrepared(p *protocol.Prepared) error { return w.write(p.Message(), doPrepare) }
func (w modelWire) write(m protocol.Message, k deedKind) error {
	r := w.r
	id := r.idOf(m.Data)
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.mu.told || r.mu.shut:
		r.noteLocked(entry{what: lost, id: id})
		return protocol.ErrClosed
	case r.mu.full && time.Since(r.begin) > r.mu.answered:
		// What follows the answer at once is not refused: that case has a
		// test of its own.
		r.noteLocked(entry{what: full, id: id, kind: k})
		return protocol.ErrQueueFull
	}
	r.noteLocked(entry{what: wrote, id: id})
	return nil
}

func (w modelWire) Close(s protocol.CloseStatus) {
	r := w.r
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mu.shut = true
	r.noteLocked(entry{what: closing, status: s})
}

// loopedWire is the same with a loop for the callbacks.
type loopedWire struct{ modelWire }

func (w loopedWire) Schedule() { w.r.works <- struct{}{} }
