package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/consumer/consumertest"
)

// TestShort: newcomers read this program first, so it has 80 lines at most.
func TestShort(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("main.go")
	if err != nil {
		t.Fatal(err)
	}
	if lines := bytes.Count(source, []byte("\n")); lines > 80 {
		t.Errorf("main.go has %d lines, want 80 at most", lines)
	}
}

func TestLineReachesItsRoom(t *testing.T) {
	t.Parallel()
	app := sockets()
	ann := consumertest.Connect(t, app, "/ws/chat/lobby/", nil)
	ben := consumertest.Connect(t, app, "/ws/chat/lobby/", nil)
	eve := consumertest.Connect(t, app, "/ws/chat/attic/", nil)
	ann.SendText(`{"message":"hello <b>Ben</b>"}`)
	want := `{"message":"hello \u003cb\u003eBen\u003c/b\u003e"}`
	ann.WantText(want)
	ben.WantText(want)
	eve.SendText(`{"message":"alone"}`)
	eve.WantText(`{"message":"alone"}`) // and not Ann's line before it
	for _, peer := range []*consumertest.Client{ann, ben, eve} {
		peer.Close(consumer.CloseNormal, "")
		peer.WantOver()
	}
}

func TestPages(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(newRouter())
	t.Cleanup(server.Close)
	for _, path := range []string{"/", "/chat/lobby/"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := server.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || res.StatusCode != http.StatusOK || string(got) != page {
			t.Errorf("GET %s: %s with %d bytes, %v; want 200 with the page", path, res.Status, len(got), err)
		}
	}
}
