package main

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wye-go/wye/consumer/consumertest"
	"github.com/wye-go/wye/protocol"
)

// start starts a chat with a database of its own, in a bubble with fake time.
func start(t *testing.T, f func(t *testing.T, c *chat)) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "chat.db")
	synctest.Test(t, func(t *testing.T) {
		c, err := newChat(t.Context(), file)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		})
		f(t, c)
	})
}

// somebody connects to a room in the page's way, and is welcomed.
func somebody(t *testing.T, c *chat, name, target string) (*consumertest.Client, got) {
	t.Helper()
	client := consumertest.Connect(t, c.urls(), target, &consumertest.Options{
		Header: http.Header{"Cookie": {cookieOf(t, c, name)}}, Subprotocols: []string{subprotocol},
	})
	w := next(t, client)
	if w.Type != "welcome" || w.You.Name != name {
		t.Fatalf("got %+v, want %s to be welcomed", w, name)
	}
	return client, w
}
