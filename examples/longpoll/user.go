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
	silent   *time.Timer           // since the last poll
	answered chan struct{}         // closed when the application has accepted or refused
	refused  *protocol.RejectError // by then, if it has
	polling  chan struct{}         // has room for one poll
	home     chan struct{}         // sends that one home
	wake     chan struct{}         // has one when a message has come

	mu struct {
		sync.Mutex
		queue []byte // messages in JSON, each with a comma behind it, until they are written
	}
}

// Accept lets the requests of the uid go on.
func (u *user) Accept(o protocol.AcceptOptions) error {
	if len(o.Header) > 0 {
		return errors.New("longpoll: an answer has no headers of the application's")
	}
	close(u.answered)
	return nil
}

// Reject answers them.
func (u *user) Reject(e *protocol.RejectError) {
	u.refused = e
	u.server.forget(u)
	u.silent.Stop()
	close(u.answered)
}

// Send queues a message: text as a string, and what is binary as {"bytes": base64}.
func (u *user) Send(m protocol.Message) error {
	var value any = m.Text()
	if m.Kind == protocol.KindBinary {
		value = map[string][]byte{"bytes": m.Data}
	}
	entry, _ := json.Marshal(value) //nolint:errcheck,errchkjson // text and bytes always can be written
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

// SendPrepared is Send.
func (u *user) SendPrepared(p *protocol.Prepared) error { return u.Send(p.Message()) }

// Close has nothing to do: polls see that the connection's context has ended.
func (u *user) Close(protocol.CloseStatus) {}

// LogValue names the connection in log lines.
func (u *user) LogValue() slog.Value { return slog.GroupValue(slog.String("uid", u.uid)) }

// say hands a message over. It waits while too many are waiting for the consumer.
func (u *user) say(w http.ResponseWriter, r *http.Request, text string) error {
	ctx, cancel := context.WithTimeout(r.Context(), wait)
	defer cancel()
	if err := u.session.Deliver(ctx, protocol.Text(text)); err != nil {
		return gone(err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// poll answers with the messages that wait, or with the first to come. It sends a
// poll that waits already home: that one's client may have gone.
func (u *user) poll(w http.ResponseWriter, r *http.Request) error {
	timeout := time.After(wait)
	select {
	case u.polling <- struct{}{}:
	case u.home <- struct{}{}:
		u.polling <- struct{}{}
	}
	defer func() { <-u.polling }()
	for ended := u.session.Conn().Context(); ; {
		over := context.Cause(ended) // looked at first: what was sent before the end is in the queue
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
			return gone(over)
		}
		select {
		case <-u.wake:
		case <-ended.Done():
		case <-r.Context().Done():
		case <-u.home:
			return protocol.NewRejectError(http.StatusConflict, "a newer poll of this uid has taken over")
		case <-timeout:
			u.answer(w, nil)
			return nil
		}
	}
}

// answer writes what is in the queue, as a list, and takes it off. What cannot be
// written stays for the next poll.
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
