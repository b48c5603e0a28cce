package main

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wye-go/wye/protocol/websocket/websockettest"
)

// serve serves chat with net/http until the end of the test. request sends a request
// for a target on a connection of its own.
func serve(t *testing.T, chat *longPoll, srv *http.Server) (request func(target string) *websockettest.Client) {
	t.Helper()
	srv.Handler = chat
	l := websockettest.Serve(t, srv)
	return func(target string) *websockettest.Client {
		t.Helper()
		c := websockettest.New(t, l.Dial())
		c.SendBytes([]byte("GET " + target + " HTTP/1.1\r\nHost: chat\r\n\r\n"))
		synctest.Wait()
		return c
	}
}

// TestServerTimeouts: a poll may wait longer than the server's timeouts.
func TestServerTimeouts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		request := serve(t, newLongPoll(alone(), nil), &http.Server{ReadTimeout: time.Second, WriteTimeout: time.Second})
		if got := request(get("ann")).ReadAnswer().Body; got != "[]\n" {
			t.Errorf("got %s, want an empty list", got)
		}
	})
}

// TestHangUp: messages that come after a client has disconnected go to its next poll.
func TestHangUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chat := newLongPoll(alone(), nil)
		request := serve(t, chat, &http.Server{})
		request(get("ann")).Conn.Close()
		synctest.Wait()
		wants(t, chat, send("ann", "hello"), http.StatusNoContent, "")
		wants(t, chat, get("ann"), http.StatusOK, `["ann: hello"]`)
	})
}

// TestDeaf: a client that does not read its answer within wait loses nothing: the
// messages go to the next poll.
func TestDeaf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chat := newLongPoll(alone(), nil)
		request := serve(t, chat, &http.Server{})
		wants(t, chat, send("ann", "hello"), http.StatusNoContent, "")
		start := time.Now()
		request(get("ann"))
		<-time.After(1) // the next poll ends a little later than the answer
		wants(t, chat, get("ann"), http.StatusOK, `["ann: hello"]`)
		if took := time.Since(start); took != wait {
			t.Errorf("it took %v, want %v", took, wait)
		}
	})
}
