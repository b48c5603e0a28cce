package websockettest

import (
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// TestServe has net/http serve a listener in a bubble.
func TestServe(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := Serve(t, &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, r.URL.Path)
		}), IdleTimeout: time.Minute})
		for _, path := range []string{"/1", "/2"} {
			pipe := l.Dial()
			c, start := New(t, pipe), time.Now()
			if a := c.Handshake("GET " + path + " HTTP/1.1\r\nHost: a\r\n\r\n"); a.Status != http.StatusOK || a.Body != path {
				t.Errorf("got %+v", a)
			}
			select {
			case <-pipe.Cut:
				t.Error("cut while the server keeps the connection")
			default:
			}
			<-pipe.Cut
			if d := time.Since(start); d != time.Minute {
				t.Errorf("cut after %v, want a minute", d)
			}
		}
	})
}

func TestListenerClose(t *testing.T) {
	t.Parallel()
	l := &Listener{}
	accepted := make(chan error)
	go func() {
		_, err := l.Accept()
		accepted <- err
	}()
	for range 2 {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := <-accepted; !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept returns %v, want net.ErrClosed", err)
	}
	pipe := l.Dial()
	<-pipe.Cut
	if _, err := pipe.Read(make([]byte, 1)); err == nil {
		t.Error("a connection is open although nobody listens")
	}
}
