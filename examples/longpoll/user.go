package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/wye-go/wye/protocol"
)

// user is the connection of one uid: the protocol.Transport of its session.
type user struct {
	server   *longPoll
	uid      string
	session  *protocol.Session
	silent   *time.Timer           // fires after the time silence without a poll
	answered chan struct{}         // closed when the application has accepted or refused
	refused  *protocol.RejectError // nil if it has accepted
	polling  chan struct{}         // holds one value while a poll waits
	replaced chan struct{}         // tells that poll that a newer one has come
	wake     chan struct{}         // holds one value after a message was queued

	mu struct {
		sync.Mutex
		queue []byte // messages as JSON, each followed by a comma, until they are written
	}
}

// Accept lets the waiting requests of the uid go on.
func (u *user) Accept(o protocol.AcceptOptions) error {
	if len(o.Header) > 0 {
		return errors.New("longpoll: an answer has no headers of the application's")
	}
	close(u.answered)
	return nil
}

// Reject answers the waiting requests with e.
func (u *user) Reject(e *protocol.RejectError) {
	u.refused = e
	u.server.forget(u)
	u.silent.Stop()
	close(u.answered)
}

// Send queues a message: text as a string, binary as {"bytes": base64}.
func (u *user) Send(m protocol.Message) error {
	var value any = m.Text()
	if m.Kind == protocol.KindBinary {
		value = map[string][]byte{"bytes": m.Data}
	}
	entry, _ := json.Marshal(value) //nolint:errcheck,errchkjson // strings and bytes cannot fail
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.mu.queue) > 0 && len(u.mu.queue)+len(entry) >= maxQueue {
		return protocol.ErrQueueFull
	}
	u.mu.queue = append(append(u.mu.queue, entry...), ',')
	select {
	case u.wake <- struct{}{}:
	default:
	}
	return nil
}

// SendPrepared queues p's message.
func (u *user) SendPrepared(p *protocol.Prepared) error { return u.Send(p.Message()) }

// Close does nothing: polls see that the connection's context is done.
func (u *user) Close(protocol.CloseStatus) {}

// LogValue identifies the connection in log lines.
func (u *user) LogValue() slog.Value { return slog.GroupValue(slog.String("uid", u.uid)) }

// deliver passes text to the session. It waits while the session's queue is full.
func (u *user) deliver(w http.ResponseWriter, r *http.Request, text string) error {
	ctx, cancel := context.WithTimeout(r.Context(), wait)
	defer cancel()
	if err := u.session.Deliver(ctx, protocol.Text(text)); err != nil {
		return closedAnswer(err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// poll answers with the queued messages, or waits for the first. It ends an earlier
// poll of the uid that still waits, because its client may have gone.
func (u *user) poll(w http.ResponseWriter, r *http.Request) error {
	timeout := time.After(wait)
	select {
	case u.polling <- struct{}{}:
	case u.replaced <- struct{}{}:
		u.polling <- struct{}{}
	}
	defer func() { <-u.polling }()
	for ended := u.session.Conn().Context(); ; {
		over := context.Cause(ended) // read before the queue: messages sent before the close are in the queue by then
		u.mu.Lock()
		queue := u.mu.queue
		u.mu.Unlock()
		switch {
		case r.Context().Err() != nil:
			return r.Context().Err()
		case len(queue) > 0:
			u.answer(w, queue)
			return nil
		case over != nil:
			u.server.forget(u)
			return closedAnswer(over)
		}
		select {
		case <-u.wake:
		case <-ended.Done():
		case <-r.Context().Done():
		case <-u.replaced:
			return protocol.NewRejectError(http.StatusConflict, "a newer poll of this uid has taken over")
		case <-timeout:
			u.answer(w, nil)
			return nil
		}
	}
}

// answer writes the queued messages as a list, and then removes them from the queue. If
// the write fails, they stay for the next poll.
func (u *user) answer(w http.ResponseWriter, queue []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	c := http.NewResponseController(w)
	_ = c.SetWriteDeadline(time.Now().Add(wait)) //nolint:errcheck // not every ResponseWriter has one
	_, err := fmt.Fprintf(w, "[%s]\n", bytes.TrimSuffix(queue, []byte(",")))
	if err == nil {
		err = c.Flush()
	}
	if err != nil && !errors.Is(err, http.ErrNotSupported) {
		return
	}
	u.mu.Lock()
	u.mu.queue = u.mu.queue[len(queue):]
	u.mu.Unlock()
	u.session.Drained()
}
