package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/protocol/websocket/websockettest"
	"github.com/wye-go/wye/router"
)

// TestSlowConnect: requests wait while the application decides.
func TestSlowConnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		decide := make(chan error)
		opened := 0
		chat := (&script{connect: func(context.Context, *consumer.Conn) error {
			opened++
			return <-decide
		}}).play()
		first := begin(t.Context(), chat, send("ann", "1"))
		poll := begin(t.Context(), chat, get("ann"))
		second := begin(t.Context(), chat, send("ann", "2"))
		ctx, giveUp := context.WithCancel(t.Context())
		given := begin(ctx, chat, send("ann", "never"))
		for what, waiting := range map[string]<-chan websockettest.Answer{"1": first, "poll": poll, "2": second, "never": given} {
			wantWaiting(t, what, waiting)
		}
		giveUp()
		<-given
		decide <- nil
		want(t, "1", <-first, http.StatusNoContent, "")
		want(t, "2", <-second, http.StatusNoContent, "")
		heard := (<-poll).Body + ask(t.Context(), chat, get("ann")).Body // the two have no order
		if strings.Count(heard, `"1"`) != 1 || strings.Count(heard, `"2"`) != 1 || strings.Contains(heard, "never") {
			t.Errorf("the polls got %s, want 1 and 2", heard)
		}
		if opened != 1 {
			t.Errorf("opened %d times, want once", opened)
		}
	})
}

// TestEarlyAccept: requests go on when Connect has accepted, even if Connect has not
// returned.
func TestEarlyAccept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		goOn := make(chan struct{})
		chat := (&script{connect: func(ctx context.Context, c *consumer.Conn) error {
			if err := c.SendText(ctx, "welcome"); err != nil {
				return err
			}
			err := c.Accept(nil)
			<-goOn
			return err
		}}).play()
		first := begin(t.Context(), chat, send("ann", "1"))
		wants(t, chat, get("ann"), http.StatusOK, `["welcome"]`)
		close(goOn)
		want(t, "the first", <-first, http.StatusNoContent, "")
		wants(t, chat, get("ann"), http.StatusOK, `["1"]`)
	})
}

func TestRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rows := []struct {
			at     string
			err    error
			status int
			body   string
		}{
			{here(), consumer.NewRejectError(http.StatusPaymentRequired, "pay first"), 402, "pay first"},
			{here(), &consumer.RejectError{Status: 401, Header: http.Header{"Www-Authenticate": {"Basic"}}}, 401, "Unauthorized"},
			{here(), consumer.NewCloseError(4001, "not you"), 403, "not you"},
			{here(), consumer.ErrNoRoute, 404, "Not Found"},
			{here(), context.DeadlineExceeded, 503, "Service Unavailable"},
		}
		for _, row := range rows {
			asked := 0
			chat := (&script{connect: func(context.Context, *consumer.Conn) error {
				asked++
				return row.err
			}}).play()
			for _, target := range []string{get("ann"), send("ann", "hello")} {
				got := ask(t.Context(), chat, target)
				want(t, row.at, got, row.status, row.body)
				if row.status == 401 && got.Header.Get("Www-Authenticate") != "Basic" {
					t.Errorf("%s: the header is %v", row.at, got.Header)
				}
			}
			if asked != 2 {
				t.Errorf("%s: the application was asked %d times, want twice", row.at, asked)
			}
		}
		var err error
		greeter := (&script{connect: func(_ context.Context, c *consumer.Conn) error {
			err = c.Accept(&consumer.AcceptOptions{Header: http.Header{"X-Greeting": {"hi"}}})
			return err
		}}).play()
		wants(t, greeter, get("ann"), http.StatusInternalServerError, "Internal Server Error")
		if err == nil || !strings.Contains(err.Error(), "headers") {
			t.Errorf("an application that wants headers is told %v", err)
		}
		wants(t, newLongPoll(router.NewURLRouter(router.RePath(`^elsewhere/$`, chat())), nil), get("ann"), http.StatusNotFound, `nothing is served at "/get/msg/"`)
	})
}

// TestRefusedTogether: all requests that wait get the refusal.
func TestRefusedTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		decide := make(chan error)
		chat := (&script{connect: func(context.Context, *consumer.Conn) error { return <-decide }}).play()
		first, second := begin(t.Context(), chat, get("ann")), begin(t.Context(), chat, send("ann", "hello"))
		decide <- consumer.NewRejectError(http.StatusPaymentRequired, "pay first")
		want(t, "the first", <-first, http.StatusPaymentRequired, "pay first")
		want(t, "the second", <-second, http.StatusPaymentRequired, "pay first")
	})
}

// TestOpeningGivenUp: a connection opens even if its first request is given up, but not
// after the time wait.
func TestOpeningGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		decide := make(chan error)
		opened := 0
		chat := (&script{connect: func(ctx context.Context, _ *consumer.Conn) error {
			opened++
			select {
			case err := <-decide:
				return err
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}}).play()
		ctx, giveUp := context.WithCancel(t.Context())
		first := begin(ctx, chat, get("ann"))
		giveUp()
		second := begin(t.Context(), chat, send("ann", "hello"))
		decide <- nil
		<-first
		want(t, "the second", <-second, http.StatusNoContent, "")
		wants(t, chat, get("ann"), http.StatusOK, `["hello"]`)
		if opened != 1 {
			t.Errorf("opened %d times, want once", opened)
		}

		start := time.Now()
		wants(t, chat, get("eve"), http.StatusServiceUnavailable, "Service Unavailable")
		if took := time.Since(start); took != wait {
			t.Errorf("an application that does not decide was given %v, want %v", took, wait)
		}
	})
}

// TestClosed: a close is reported once, after the messages sent before it. The next
// request opens a new connection.
func TestClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ends := make(chan consumer.CloseStatus, 1)
		chat := (&script{
			receive: func(ctx context.Context, c *consumer.Conn, m consumer.Message) error {
				if m.Text() == "later" {
					time.AfterFunc(time.Second, func() { c.Close(4002, "later") })
					return nil
				}
				return errors.Join(c.SendText(ctx, "before"), consumer.NewCloseError(4001, `"bye"`))
			},
			disconnect: func(s consumer.CloseStatus) { ends <- s },
		}).play()
		const bye = `4001 "bye"`
		wants(t, chat, send("ann", "now"), http.StatusNoContent, "")
		if s := <-ends; s.Code != 4001 || s.Remote {
			t.Errorf("Disconnect got %+v", s)
		}
		wants(t, chat, send("ann", "too late"), http.StatusGone, bye)
		wants(t, chat, get("ann"), http.StatusOK, `["before"]`)
		wants(t, chat, get("ann"), http.StatusGone, bye)
		if unread := chat.counters.Stats().MessagesUnread; unread != 0 {
			t.Errorf("%d messages were not read, want none: who was told 410 has not sent", unread)
		}

		wants(t, chat, send("ann", "later"), http.StatusNoContent, "")
		wants(t, chat, get("ann"), http.StatusGone, "4002 later")
		<-ends
		for range 5 { // the new connection is not affected by the timers of the old one
			wants(t, chat, get("ann"), http.StatusOK, "[]")
		}
		if s := chat.counters.Stats(); s.Open != 1 || s.Accepted != 3 {
			t.Errorf("%d open and %d accepted, want 1 and 3", s.Open, s.Accepted)
		}
	})
}

// TestSilence: polls keep a connection open, and messages do not.
func TestSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ends := make(chan consumer.CloseStatus, 10)
		chat := (&script{disconnect: func(s consumer.CloseStatus) { ends <- s }}).play()
		wantOpen := func(open, accepted int64) {
			t.Helper()
			synctest.Wait()
			if s := chat.counters.Stats(); s.Open != open || s.Accepted != accepted {
				t.Errorf("%d open and %d accepted, want %d and %d", s.Open, s.Accepted, open, accepted)
			}
		}
		wants(t, chat, get("ann"), http.StatusOK, "[]")
		<-time.After(silence - 1)
		ctx, giveUp := context.WithCancel(t.Context())
		given := begin(ctx, chat, get("ann"))
		<-time.After(wait / 2)
		giveUp()
		<-given
		<-time.After(silence - 1)
		wants(t, chat, send("ann", "hello"), http.StatusNoContent, "")
		wantOpen(1, 1)
		<-time.After(1)
		wantOpen(0, 1)
		if s := <-ends; s.Code != consumer.CloseAbnormal || !errors.Is(s.Err, errSilent) {
			t.Errorf("Disconnect got %+v", s)
		}

		wants(t, chat, get("ann"), http.StatusOK, "[]") // and not hello
		wantOpen(1, 2)
		<-time.After(silence)
		wantOpen(0, 2)

		// A client that never polls stays for as long.
		start := time.Now()
		for range 3 {
			wants(t, chat, send("bob", "hello"), http.StatusNoContent, "")
			<-time.After(silence/2 - 1)
		}
		wantOpen(0, 3)
		if took := time.Since(start); took < silence {
			t.Errorf("it took %v", took)
		}
		wants(t, chat, send("bob", "hello"), http.StatusNoContent, "")
		wantOpen(1, 4)
	})
}

// TestJustInTime: a poll that comes after its connection's timer has fired, and before
// the connection has ended, opens another connection.
func TestJustInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chat := (&script{}).play()
		wants(t, chat, send("ann", "hello"), http.StatusNoContent, "")
		chat.mu.users["ann"].silent.Stop() // as if it had fired
		wants(t, chat, get("ann"), http.StatusOK, "[]")
		if accepted := chat.counters.Stats().Accepted; accepted != 2 {
			t.Errorf("%d connections were accepted, want 2", accepted)
		}
	})
}

func TestShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hold := make(chan struct{})
		ends := make(chan consumer.CloseStatus, 10)
		chat := (&script{disconnect: func(s consumer.CloseStatus) {
			<-hold
			ends <- s
		}}).play()
		wants(t, chat, send("bob", "hello"), http.StatusNoContent, "") // bob does not poll
		waiting := begin(t.Context(), chat, get("ann"))

		soon, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := chat.Shutdown(soon); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Shutdown while Disconnects run: %v, want a deadline", err)
		}
		want(t, "the poll that waits", <-waiting, http.StatusGone, "1001 the server is shutting down")
		for _, target := range []string{get("ann"), get("bob"), send("eve", "hello")} {
			got := ask(t.Context(), chat, target)
			want(t, target, got, http.StatusServiceUnavailable, "the server is shutting down")
		}
		over := make(chan error, 1)
		go func() { over <- chat.Shutdown(t.Context()) }()
		synctest.Wait()
		select {
		case err := <-over:
			t.Errorf("Shutdown has returned %v before Disconnect has", err)
		default:
		}
		close(hold)
		if err := <-over; err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		for range 2 {
			if s := <-ends; s.Code != consumer.CloseGoingAway {
				t.Errorf("Disconnect got %+v", s)
			}
		}
		if open := chat.counters.Stats().Open; open != 0 {
			t.Errorf("%d connections are open", open)
		}
	})
}

// TestShutdownWhileOpening: the context of Connect ends, and the request that waits
// gets an answer.
func TestShutdownWhileOpening(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chat := (&script{connect: func(ctx context.Context, _ *consumer.Conn) error {
			<-ctx.Done()
			return context.Cause(ctx)
		}}).play()
		waiting := begin(t.Context(), chat, get("ann"))
		start := time.Now()
		if err := chat.Shutdown(t.Context()); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		want(t, "the poll", <-waiting, http.StatusServiceUnavailable, "the server is shutting down")
		if took := time.Since(start); took >= time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

// TestShutdownPaced: a shutdown spreads its closes over time.
func TestShutdownPaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chat := newLongPoll(alone(), nil)
		const people = 500
		told := make(chan time.Time, people)
		for i := range people {
			go func() {
				ask(t.Context(), chat, get(fmt.Sprint(i)))
				told <- time.Now()
			}()
		}
		synctest.Wait()
		start := time.Now()
		if err := chat.Shutdown(t.Context()); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		at := map[time.Time]int{}
		for range people {
			at[<-told]++
		}
		if took := time.Since(start); took > time.Second {
			t.Errorf("it took %v", took)
		}
		for when, n := range at {
			if n > people/10 {
				t.Errorf("%d of %d are told at %v", n, people, when.Sub(start))
			}
		}
	})
}

// TestFault: a callback that panics or fails closes its own connection only.
func TestFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hold := make(chan struct{})
		chat := (&script{receive: func(_ context.Context, _ *consumer.Conn, m consumer.Message) error {
			switch m.Text() {
			case "panic":
				panic("a fault")
			case "exit":
				<-hold
				runtime.Goexit()
			}
			return nil
		}}).play()
		const failed = "1011"
		wants(t, chat, send("ann", "panic"), http.StatusNoContent, "")
		wants(t, chat, get("ann"), http.StatusGone, failed)
		wants(t, chat, send("ann", "again"), http.StatusNoContent, "")

		chat.sessions.Limits.ReadAhead = 1
		wants(t, chat, send("bob", "exit"), http.StatusNoContent, "")
		wants(t, chat, send("bob", "never heard"), http.StatusNoContent, "")
		behind := begin(t.Context(), chat, send("bob", "behind"))
		wantWaiting(t, "what is sent behind it", behind)
		close(hold)
		want(t, "what was sent behind it", <-behind, http.StatusGone, failed)
	})
}
