package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/protocol/websocket/websockettest"
	"github.com/wye-go/wye/router"
)

// here returns the caller's line, for the rows of tables.
func here() string {
	_, file, line, _ := runtime.Caller(1)
	return fmt.Sprintf("%s:%d", filepath.Base(file), line)
}

// alone returns the chat on a layer of its own, so that tests do not receive each
// other's messages.
func alone() consumer.Application { return router.Use(chat(), layers.Middleware(new(layers.Layer))) }

// script is a consumer whose callbacks a test sets.
type script struct {
	consumer.Base
	connect    func(ctx context.Context, c *consumer.Conn) error
	receive    func(ctx context.Context, c *consumer.Conn, m consumer.Message) error
	disconnect func(s consumer.CloseStatus)
}

func (s *script) Connect(ctx context.Context, c *consumer.Conn) error {
	if s.connect == nil {
		return nil
	}
	return s.connect(ctx, c)
}

func (s *script) Receive(ctx context.Context, c *consumer.Conn, m consumer.Message) error {
	if s.receive == nil {
		return c.SendText(ctx, m.Text())
	}
	return s.receive(ctx, c, m)
}

func (s *script) Disconnect(_ context.Context, _ *consumer.Conn, status consumer.CloseStatus) {
	if s.disconnect != nil {
		s.disconnect(status)
	}
}

// play returns a protocol for an application that uses s for every connection, and does
// not log.
func (s *script) play() *longPoll {
	l := newLongPoll(consumer.New(func(*consumer.Scope) *script { return s }), nil)
	l.sessions.Logger = slog.New(slog.DiscardHandler)
	return l
}

// ask makes a request and returns the answer.
func ask(ctx context.Context, h http.Handler, target string) websockettest.Answer {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, target, nil))
	return websockettest.Answer{Status: w.Code, Header: w.Header(), Body: w.Body.String()}
}

// begin makes a request that waits for its answer.
func begin(ctx context.Context, h http.Handler, target string) <-chan websockettest.Answer {
	answer := make(chan websockettest.Answer, 1)
	go func() { answer <- ask(ctx, h, target) }()
	synctest.Wait()
	return answer
}

func send(uid, text string) string {
	return sendPath + "?" + url.Values{"uid": {uid}, "text": {text}}.Encode()
}

func get(uid string) string { return getPath + "?" + url.Values{"uid": {uid}}.Encode() }

func want(t *testing.T, what string, got websockettest.Answer, status int, body string) {
	t.Helper()
	if got.Status != status || strings.TrimSuffix(got.Body, "\n") != body {
		t.Errorf("%s: got %d %.200q, want %d %q", what, got.Status, got.Body, status, body)
	}
	if cache := got.Header.Get("Cache-Control"); cache != "no-store" {
		t.Errorf("%s: Cache-Control is %q, want no-store", what, cache)
	}
}

// do makes one request over a network, with the form if it is not empty.
func do(t *testing.T, method, address, form string) websockettest.Answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(form))
	if err != nil {
		t.Fatal(err)
	}
	if form != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, address, err)
	}
	return websockettest.Answer{Status: resp.StatusCode, Header: resp.Header, Body: string(body)}
}

// wants makes a request, checks the answer, and waits until its effects have happened.
func wants(t *testing.T, h http.Handler, target string, status int, body string) {
	t.Helper()
	want(t, target, ask(t.Context(), h, target), status, body)
	synctest.Wait()
}

// wantWaiting fails the test if there is an answer.
func wantWaiting(t *testing.T, what string, answer <-chan websockettest.Answer) {
	t.Helper()
	synctest.Wait()
	select {
	case got := <-answer:
		t.Errorf("%s: got %d %s, want it to wait", what, got.Status, got.Body)
	default:
	}
}

// TestTogether has members of both protocols in one room, over a real network.
func TestTogether(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(newRouter(alone()))
	defer server.Close()
	get := func(path string) websockettest.Answer { t.Helper(); return do(t, http.MethodGet, server.URL+path, "") }
	poll := getPath + "?uid=ann"

	if got := websockettest.Refused(t, server.URL+"/ws/chat/", nil); got.Status != http.StatusBadRequest {
		t.Errorf("somebody without a name got %d %s, want 400", got.Status, got.Body)
	}
	bob := websockettest.Dial(t, server.URL+"/ws/chat/?uid=bob", nil)
	want(t, "ann's first", get(send("ann", "hello")), http.StatusNoContent, "")
	bob.WantText("ann: hello")
	bob.SendText("Grüße, <Ann>")
	bob.WantText("bob: Grüße, <Ann>")
	heard := ""
	hears := func(message string) { // the order of concurrent messages may differ between members
		t.Helper()
		for !strings.Contains(heard, message) {
			polled := get(poll)
			if typ := polled.Header.Get("Content-Type"); polled.Status != http.StatusOK || polled.Body == "[]\n" || typ != "application/json" {
				t.Fatalf("ann waits for %s, has heard %s, and got %d %s of type %s", message, heard, polled.Status, polled.Body, typ)
			}
			heard += polled.Body
		}
	}
	hears(`"ann: hello"`)
	hears(`"bob: Grüße, \u003cAnn\u003e"`)

	// A uid in a form has the same effect as one in the query.
	want(t, "eve's first", do(t, http.MethodPost, server.URL+sendPath, "uid=eve&text=a%26b"), http.StatusNoContent, "")
	bob.WantText("eve: a&b")
	hears(`"eve: a\u0026b"`)
	if strings.Count(heard, ": ") != 3 {
		t.Errorf("ann has heard %s, want three messages", heard)
	}

	waiting := make(chan websockettest.Answer, 1)
	go func() { waiting <- get(poll) }()
	bob.SendText("are you there?")
	bob.WantText("bob: are you there?")
	want(t, "the poll that waits", <-waiting, http.StatusOK, `["bob: are you there?"]`)

	bob.Send(websockettest.Binary("\x01"))
	bob.WantClosed(consumer.CloseUnsupportedData)
	want(t, "the page", withStore(get("/")), http.StatusOK, strings.TrimSpace(usage))
	want(t, "elsewhere", withStore(get("/get/")), http.StatusNotFound, "404 page not found")
}

// withStore adds the header that want expects of all answers to one from outside the
// protocol.
func withStore(a websockettest.Answer) websockettest.Answer {
	a.Header.Set("Cache-Control", "no-store")
	return a
}

func TestPollWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chat := newLongPoll(alone(), nil)
		start := time.Now()
		wants(t, chat, get("ann"), http.StatusOK, "[]")
		if took := time.Since(start); took != wait {
			t.Errorf("a poll of nothing took %v, want %v", took, wait)
		}

		wants(t, chat, get("ann")+"&text=not+sent", http.StatusOK, "[]")
		waiting := begin(t.Context(), chat, get("ann"))
		<-time.After(wait - 1)
		wantWaiting(t, "ann's poll", waiting)
		start = time.Now()
		wants(t, chat, send("bob", "hello"), http.StatusNoContent, "")
		want(t, "ann's poll", <-waiting, http.StatusOK, `["bob: hello"]`)
		if took := time.Since(start); took != 0 {
			t.Errorf("a message took %v, want it at once", took)
		}

		for _, text := range []string{"1", "2", "3"} {
			wants(t, chat, send("bob", text), http.StatusNoContent, "")
		}
		wants(t, chat, get("ann"), http.StatusOK, `["bob: 1","bob: 2","bob: 3"]`)
		wants(t, chat, get("bob"), http.StatusOK, `["bob: hello","bob: 1","bob: 2","bob: 3"]`)
		wants(t, chat, get("ann"), http.StatusOK, "[]")
	})
}

func TestBinary(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{receive: func(ctx context.Context, c *consumer.Conn, m consumer.Message) error {
			lent := []byte{0xff, 0}
			err := c.Send(ctx, consumer.Binary(lent))
			clear(lent) // the protocol must not keep the bytes
			return errors.Join(err, c.SendText(ctx, m.Text()))
		}}
		chat := s.play()
		wants(t, chat, send("ann", "text"), http.StatusNoContent, "")
		wants(t, chat, get("ann"), http.StatusOK, `[{"bytes":"/wA="},"text"]`)
	})
}

// TestTwoPolls: the later poll gets the messages, and the earlier one ends with 409.
func TestTwoPolls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chat := newLongPoll(alone(), nil)
		const taken = "a newer poll of this uid has taken over"
		first := begin(t.Context(), chat, get("ann"))
		<-time.After(wait / 2)
		second := begin(t.Context(), chat, get("ann"))
		want(t, "the first", <-first, http.StatusConflict, taken)
		third := begin(t.Context(), chat, get("ann"))
		want(t, "the second", <-second, http.StatusConflict, taken)
		wants(t, chat, send("ann", "hello"), http.StatusNoContent, "")
		want(t, "the third", <-third, http.StatusOK, `["ann: hello"]`)
		wants(t, chat, get("ann"), http.StatusOK, "[]")
	})
}

// TestGivenUp: messages that come after a client has given up its poll go to the next
// poll.
func TestGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chat := newLongPoll(alone(), nil)
		ctx, giveUp := context.WithCancel(t.Context())
		given := begin(ctx, chat, get("ann"))
		giveUp()
		if got := <-given; got.Status == http.StatusOK {
			t.Errorf("a poll that was given up got %d %s", got.Status, got.Body)
		}
		wants(t, chat, send("ann", "1"), http.StatusNoContent, "")
		ask(ctx, chat, get("ann")) // the client disconnects before the poll starts
		wants(t, chat, get("ann"), http.StatusOK, `["ann: 1"]`)
	})
}

// broken is a ResponseWriter that fails in one of its methods.
type broken struct {
	*httptest.ResponseRecorder
	writing  func()
	write    error
	flushing error
}

func (b *broken) Write(p []byte) (int, error) {
	b.writing()
	if b.write != nil {
		return 0, b.write
	}
	return b.ResponseRecorder.Write(p)
}

func (b *broken) FlushError() error { return b.flushing }

// TestUnwritten: messages whose answer cannot be written go to the next poll in order,
// with those that come meanwhile.
func TestUnwritten(t *testing.T) {
	errCut := errors.New("the connection was cut")
	rows := []struct {
		at   string
		name string
		w    broken
		body string // of the next poll
	}{
		{here(), "write", broken{write: errCut}, `["ann: 1","ann: 2","ann: 3"]`},
		{here(), "flush", broken{flushing: errCut}, `["ann: 1","ann: 2","ann: 3"]`},
		{here(), "no flush", broken{flushing: http.ErrNotSupported}, `["ann: 3"]`},
		{here(), "fine", broken{}, `["ann: 3"]`},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				chat := newLongPoll(alone(), nil)
				wants(t, chat, send("ann", "1"), http.StatusNoContent, "")
				wants(t, chat, send("ann", "2"), http.StatusNoContent, "")
				row.w.ResponseRecorder = httptest.NewRecorder()
				row.w.writing = func() { wants(t, chat, send("ann", "3"), http.StatusNoContent, "") }
				chat.ServeHTTP(&row.w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, get("ann"), nil))
				want(t, row.at, ask(t.Context(), chat, get("ann")), http.StatusOK, row.body)
			})
		})
	}
	t.Run("panic", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			chat := newLongPoll(alone(), nil)
			wants(t, chat, send("ann", "1"), http.StatusNoContent, "")
			func() {
				defer func() { _ = recover() }()
				w := &broken{ResponseRecorder: httptest.NewRecorder(), writing: func() { panic(http.ErrAbortHandler) }}
				chat.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, get("ann"), nil))
			}()
			wants(t, chat, get("ann"), http.StatusOK, `["ann: 1"]`)
		})
	})
}

// TestPollDuringWrite: a poll that comes while an answer is being written waits for the
// result.
func TestPollDuringWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chat := newLongPoll(alone(), nil)
		wants(t, chat, send("ann", "1"), http.StatusNoContent, "")
		var second <-chan websockettest.Answer
		w := &broken{ResponseRecorder: httptest.NewRecorder(), write: errors.New("the connection was cut")}
		w.writing = func() {
			second = begin(t.Context(), chat, get("ann"))
			wants(t, chat, send("ann", "2"), http.StatusNoContent, "")
			wantWaiting(t, "the second", second)
		}
		chat.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, get("ann"), nil))
		want(t, "the second", <-second, http.StatusOK, `["ann: 1","ann: 2"]`)
	})
}
