package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/admission"
)

// TestRequests: malformed requests are refused, and do not reach the application.
func TestRequests(t *testing.T) {
	t.Parallel()
	const (
		who  = "say who you are, in 64 bytes at the most, as in /get/msg/?uid=ann"
		what = "say something, as in /send/msg/?uid=ann&text=hello"
		utf8 = "uid and text have to be UTF-8"
		name = "a uid is a name that can be printed, on one line"
		long = "a text has 4096 bytes at the most"
		form = "the query or the form is malformed, or too long"
	)
	tooMuch := strings.Repeat("x", maxText+1)
	rows := []struct {
		at             string
		method, target string
		body           string
		status         int
		answer         string
	}{
		{here(), "GET", getPath, "", 400, who},
		{here(), "GET", getPath + "?uid=", "", 400, who},
		{here(), "GET", get(strings.Repeat("u", 65)), "", 400, who},
		{here(), "GET", get("\xff"), "", 400, utf8},
		{here(), "GET", get("\xff\xfe"), "", 400, utf8},
		{here(), "GET", get("ann\nbob"), "", 400, name},
		{here(), "GET", get("an\u200bn"), "", 400, name},
		{here(), "GET", get(" "), "", 400, name},
		{here(), "GET", getPath + "?uid=%zz", "", 400, form},
		{here(), "POST", get("ann"), "", 405, "Method Not Allowed"},
		{here(), "HEAD", get("ann"), "", 405, "Method Not Allowed"},
		{here(), "OPTIONS", get("ann"), "", 405, "Method Not Allowed"},
		{here(), "GET", sendPath + "?text=hello", "", 400, who},
		{here(), "GET", sendPath + "?uid=ann", "", 400, what},
		{here(), "GET", send("ann", ""), "", 400, what},
		{here(), "GET", send("ann", "a\xffb"), "", 400, utf8},
		{here(), "GET", send("ann", tooMuch), "", 413, long},
		{here(), "POST", sendPath, "", 400, who},
		{here(), "POST", sendPath, "uid=ann", 400, what},
		{here(), "POST", sendPath, "uid=ann&text=%ff", 400, utf8},
		{here(), "POST", sendPath, "uid=ann&text=%zz", 400, form},
		{here(), "POST", sendPath, "uid=ann&text=" + tooMuch, 413, long},
		{here(), "POST", sendPath, "uid=ann&text=" + strings.Repeat("x", 1<<20), 400, form},
		{here(), "POST", sendPath, "uid=ann&text=hello&more=" + strings.Repeat("x", 1<<15), 400, form},
		{here(), "PUT", sendPath, "uid=ann&text=hello", 405, "Method Not Allowed"},
		{here(), "DELETE", send("ann", "hello"), "", 405, "Method Not Allowed"},
	}
	for _, row := range rows {
		chat := newLongPoll(protocol.ApplicationFunc(func(*consumer.Scope) (protocol.Handler, error) {
			return nil, errors.New("the application was asked")
		}), nil)
		r := httptest.NewRequestWithContext(t.Context(), row.method, row.target, strings.NewReader(row.body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		chat.ServeHTTP(w, r)
		got := strings.TrimSuffix(w.Body.String(), "\n")
		if w.Code != row.status || got != row.answer {
			t.Errorf("%s: %s %.40s: got %d %q, want %d %q", row.at, row.method, row.target, w.Code, got, row.status, row.answer)
		}
		if cache := w.Header().Get("Cache-Control"); cache != "no-store" {
			t.Errorf("%s: Cache-Control is %q", row.at, cache)
		}
		if typ := w.Header().Get("Content-Type"); typ != "text/plain; charset=utf-8" {
			t.Errorf("%s: Content-Type is %q", row.at, typ)
		}
		allow := map[bool]string{true: "GET, POST", false: "GET"}[strings.HasPrefix(row.target, sendPath)]
		if row.status == 405 && strings.Join(w.Header()["Allow"], ", ") != allow {
			t.Errorf("%s: Allow is %q, want %q", row.at, w.Header()["Allow"], allow)
		}
	}
}

func TestMatch(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]bool{getPath: true, sendPath + "?uid=ann": true, "/": false, "/get/msg": false, "/send/msg/x": false} {
		if got := newLongPoll(alone(), nil).Match(httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)); got != want {
			t.Errorf("%s: %t, want %t", path, got, want)
		}
	}
}

// TestOrigin: pages of other origins can neither send nor poll, by any method.
func TestOrigin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rows := []struct {
			at     string
			header []string
			ok     bool
		}{
			{here(), nil, true}, // not a browser
			{here(), []string{"Sec-Fetch-Site", "same-origin"}, true},
			{here(), []string{"Sec-Fetch-Site", "none"}, true}, // the user typed the URL
			{here(), []string{"Sec-Fetch-Site", "cross-site"}, false},
			{here(), []string{"Sec-Fetch-Site", "same-site"}, false},
			{here(), []string{"Origin", "http://example.com"}, true}, // what httptest calls us
			{here(), []string{"Origin", "https://evil.example"}, false},
			{here(), []string{"Origin", "null"}, false},
			{here(), []string{"Origin", "https://friend.example"}, true},
			{here(), []string{"Origin", "https://friend.example", "Sec-Fetch-Site", "cross-site"}, true},
		}
		for _, row := range rows {
			chat := newLongPoll(alone(), &admission.Options{Origins: []string{"https://friend.example"}, Logger: slog.New(slog.DiscardHandler)})
			for _, asked := range []struct{ method, target string }{{"GET", send("ann", "hello")}, {"POST", send("ann", "hello")}, {"GET", get("ann")}} {
				r := httptest.NewRequestWithContext(t.Context(), asked.method, asked.target, nil)
				for i := 0; i < len(row.header); i += 2 {
					r.Header.Set(row.header[i], row.header[i+1])
				}
				w := httptest.NewRecorder()
				chat.ServeHTTP(w, r)
				synctest.Wait()
				if ok := w.Code < 300; ok != row.ok || !ok && w.Code != http.StatusForbidden {
					t.Errorf("%s: %s %s: got %d %s, want it allowed: %t", row.at, asked.method, asked.target, w.Code, w.Body, row.ok)
				}
				if row.ok && asked.target == get("ann") && !strings.Contains(w.Body.String(), "hello") {
					t.Errorf("%s: the poll got %s", row.at, w.Body)
				}
			}
		}
	})
}

// TestLongest: a text may have maxText bytes, however long its encoding is.
func TestLongest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chat := (&script{}).play()
		text := strings.Repeat("ü", maxText/2)
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, sendPath, strings.NewReader("uid=ann&text="+url.QueryEscape(text)))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		chat.ServeHTTP(w, r)
		synctest.Wait()
		if w.Code != http.StatusNoContent {
			t.Errorf("got %d %s", w.Code, w.Body)
		}
		wants(t, chat, get("ann"), http.StatusOK, `["`+text+`"]`)
	})
}

// TestDescribed: the scope describes the connection by its first request, without the
// message.
func TestDescribed(t *testing.T) {
	t.Parallel()
	var seen *consumer.Scope
	chat := newLongPoll(protocol.ApplicationFunc(func(s *consumer.Scope) (protocol.Handler, error) {
		seen = s
		return nil, consumer.ErrNoRoute
	}), nil)
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, sendPath+"?lang=de", strings.NewReader("uid=ann&text=secret"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	chat.ServeHTTP(httptest.NewRecorder(), r)
	if seen.Type() != "longpoll" || seen.Type() != chat.Type() || seen.Path() != sendPath || seen.RawQuery() != "lang=de&uid=ann" {
		t.Errorf("the scope is of type %q, path %q and query %q", seen.Type(), seen.Path(), seen.RawQuery())
	}
}

// TestQueueIsBounded: a client that does not poll is closed, as with WebSocket, and
// gets the messages from before.
func TestQueueIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chat := newLongPoll(alone(), nil)
		const each = maxText - len(`"ann: 00",`)
		wants(t, chat, get("bob"), http.StatusOK, "[]")
		for i := range 20 {
			if i%10 == 0 { // ann polls
				ask(t.Context(), chat, get("ann"))
			}
			wants(t, chat, send("ann", fmt.Sprintf("%02d%s", i, strings.Repeat("x", each))), http.StatusNoContent, "")
		}
		got := ask(t.Context(), chat, get("bob")).Body
		if n := strings.Count(got, `"ann: `); n != 16 || !strings.HasPrefix(got, `["ann: 00`) || !strings.Contains(got, `"ann: 15`) {
			t.Errorf("bob has %d messages, from %.20s on; want the first 16 of 20", n, got)
		}
		wants(t, chat, get("bob"), http.StatusGone, "1013 reading too slowly")
		if s := chat.counters.Stats(); s.SlowClosed != 1 || s.MessagesDropped != 1 || s.Open != 1 {
			t.Errorf("%+v, want one that was closed for one message too many", s)
		}
		if got := ask(t.Context(), chat, get("ann")).Body; strings.Count(got, `"ann: `) != 10 {
			t.Errorf("ann, who polls, has %.40s", got)
		}
		wants(t, chat, get("bob"), http.StatusOK, "[]") // a new connection
		wants(t, chat, send("ann", "more"), http.StatusNoContent, "")
		wants(t, chat, get("bob"), http.StatusOK, `["ann: more"]`)
	})
}

// TestEmptyMessagesAreBounded: empty messages count as well, and one message of any
// size always fits.
func TestEmptyMessagesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chat := (&script{receive: func(ctx context.Context, c *consumer.Conn, m consumer.Message) error {
			n, err := strconv.Atoi(m.Text())
			if n < 0 {
				return errors.Join(err, c.SendText(ctx, strings.Repeat("x", -n)))
			}
			for range n {
				err = errors.Join(err, c.SendText(ctx, ""))
			}
			return err
		}}).play()
		wants(t, chat, send("ann", "30000"), http.StatusNoContent, "")
		if got, want := strings.Count(ask(t.Context(), chat, get("ann")).Body, `""`), maxQueue/len(`"",`); got != want {
			t.Errorf("%d empty messages wait, want %d", got, want)
		}
		wants(t, chat, get("ann"), http.StatusGone, "1013 reading too slowly")
		wants(t, chat, send("ann", "-100000"), http.StatusNoContent, "")
		if got := ask(t.Context(), chat, get("ann")).Body; len(got) != 100_005 {
			t.Errorf("of a message larger than the queue, %d bytes came", len(got))
		}
	})
}

// TestBlocked: with OverflowBlock, Send waits for a poll that makes room.
func TestBlocked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chat := (&script{receive: func(ctx context.Context, c *consumer.Conn, _ consumer.Message) error {
			return errors.Join(c.SendText(ctx, strings.Repeat("x", maxQueue)), c.SendText(ctx, "second"))
		}}).play()
		chat.sessions.Limits.Overflow = protocol.OverflowBlock
		wants(t, chat, send("ann", "go"), http.StatusNoContent, "")
		if got := ask(t.Context(), chat, get("ann")); len(got.Body) != maxQueue+5 {
			t.Errorf("the first poll got %d bytes", len(got.Body))
		}
		wants(t, chat, get("ann"), http.StatusOK, `["second"]`)
	})
}

func TestUsersAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chat := (&script{}).play()
		for i := range maxUsers {
			wants(t, chat, send(strconv.Itoa(i), "hello"), http.StatusNoContent, "")
		}
		got := ask(t.Context(), chat, get("ann"))
		want(t, "one more", got, http.StatusServiceUnavailable, "there are too many users")
		wants(t, chat, get("0"), http.StatusOK, `["hello"]`)
		waitFor(t, chat, 1) // the one that has polled
		wants(t, chat, send("ann", "hello"), http.StatusNoContent, "")
	})
}

// TestConnectionsAreBounded: a closed connection has left the gate, even if no poll has
// reported it.
func TestConnectionsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chat := newLongPoll(alone(), &admission.Options{Capacity: admission.Capacity{Conns: 1}, Logger: slog.New(slog.DiscardHandler)})
		wants(t, chat, send("ann", "hello"), http.StatusNoContent, "")
		for range 2 {
			got := ask(t.Context(), chat, send("bob", "hello"))
			want(t, "one more", got, http.StatusServiceUnavailable, "there are too many connections")
			if got.Header.Get("Retry-After") == "" {
				t.Error("the answer has no Retry-After")
			}
		}
		chat.mu.users["ann"].session.Conn().Close(consumer.CloseNormal, "bye")
		synctest.Wait()
		wants(t, chat, send("bob", "hello"), http.StatusNoContent, "")
		wants(t, chat, get("bob"), http.StatusOK, `["bob: hello"]`)
		if s := chat.gate.Stats(); s.Conns != 1 || s.Handshakes != 0 || s.Full != 2 || len(chat.mu.users) != 2 {
			t.Errorf("%+v and %d users, want one connection and two users", s, len(chat.mu.users))
		}
	})
}

// waitFor waits until all users that have never polled are removed.
func waitFor(t *testing.T, chat *longPoll, open int64) {
	t.Helper()
	poll := begin(t.Context(), chat, get("0"))
	<-poll
	for range 3 {
		<-begin(t.Context(), chat, get("0"))
	}
	synctest.Wait()
	if got := chat.counters.Stats().Open; got != open {
		t.Errorf("%d are open, want %d", got, open)
	}
}

// told is the event that the slow consumer handles.
var told = consumer.EventType[struct{}]{Name: "told"}

type slow struct {
	script
	hold chan struct{}
}

func (s *slow) told(context.Context, *consumer.Conn, struct{}) error {
	<-s.hold
	return nil
}

// TestBusyConsumer: while a consumer is busy and the queue is full, requests wait as
// long as a poll. A request that has given up was not delivered.
func TestBusyConsumer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hold := make(chan struct{})
		calls := 0 // without a lock: the race detector finds concurrent callbacks
		chat := (&script{receive: func(ctx context.Context, c *consumer.Conn, m consumer.Message) error {
			calls++
			<-hold
			return c.SendText(ctx, m.Text())
		}}).play()
		chat.sessions.Limits.ReadAhead = 1
		wants(t, chat, send("ann", "1"), http.StatusNoContent, "")
		wants(t, chat, send("ann", "2"), http.StatusNoContent, "")
		late := begin(t.Context(), chat, send("ann", "late"))
		start := time.Now()
		want(t, "what waits too long", <-late, http.StatusServiceUnavailable, "Service Unavailable")
		if took := time.Since(start); took != wait {
			t.Errorf("it waited for %v, want %v", took, wait)
		}
		third := begin(t.Context(), chat, send("ann", "3"))
		ctx, giveUp := context.WithCancel(t.Context())
		given := begin(ctx, chat, send("ann", "given up"))
		last := begin(t.Context(), chat, send("ann", "4"))
		wantWaiting(t, "the third", third)
		wantWaiting(t, "the last", last)
		giveUp()
		<-given
		close(hold)
		want(t, "the third", <-third, http.StatusNoContent, "")
		want(t, "the last", <-last, http.StatusNoContent, "")
		synctest.Wait()
		wants(t, chat, get("ann"), http.StatusOK, `["1","2","3","4"]`)
		if calls != 4 {
			t.Errorf("the consumer was called %d times, want four", calls)
		}
	})
}

// TestReadAhead: while a consumer is busy with an event, messages wait in the session
// up to its limit; then requests wait.
func TestReadAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slow{hold: make(chan struct{})}
		s.connect = func(_ context.Context, c *consumer.Conn) error { return c.Protocol().Post(told.New(struct{}{})) }
		received := 0
		s.receive = func(context.Context, *consumer.Conn, consumer.Message) error {
			received++
			return nil
		}
		chat := newLongPoll(consumer.New(func(*consumer.Scope) *slow { return s }, consumer.On(told, (*slow).told)), nil)
		sent := func() { wants(t, chat, send("ann", strings.Repeat("x", maxText)), http.StatusNoContent, "") }
		for range 16 {
			sent()
		}
		waiting := begin(t.Context(), chat, send("ann", strings.Repeat("x", maxText)))
		wantWaiting(t, "what is too much", waiting)
		if received != 0 {
			t.Errorf("%d messages overtook the event", received)
		}
		close(s.hold)
		want(t, "what was too much", <-waiting, http.StatusNoContent, "")
		sent()
		synctest.Wait()
		if received != 18 {
			t.Errorf("%d messages were received, want 18", received)
		}
		wants(t, chat, get("ann"), http.StatusOK, "[]")
	})
}

// TestLog: log lines about a fault have the uid.
func TestLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		chat := (&script{receive: func(context.Context, *consumer.Conn, consumer.Message) error { return io.ErrUnexpectedEOF }}).play()
		chat.sessions.Logger = slog.New(slog.NewTextHandler(&log, nil))
		wants(t, chat, send("an\"n", "hello"), http.StatusNoContent, "")
		wants(t, chat, get("an\"n"), http.StatusGone, "1011")
		if got := log.String(); !strings.Contains(got, `conn.uid="an\"n"`) {
			t.Errorf("the log says %s", got)
		}
	})
}
