package router_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket"
	"github.com/wye-go/wye/router"
)

// handshake sends a WebSocket handshake to h, and returns the status of the answer.
func handshake(h http.Handler, target string) (status int) {
	r := httptest.NewRequest(http.MethodGet, target, http.NoBody)
	for name, value := range map[string]string{
		"Connection": "Upgrade", "Upgrade": "websocket", "Sec-Websocket-Version": "13", "Sec-Websocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
	} {
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code
}

// TestServerLogsNotFound checks that the server logs a path that no route matches, with the
// reason that the router gives, and that many of them do not fill the log.
func TestServerLogsNotFound(t *testing.T) {
	t.Parallel()
	tried := 0
	urls := router.NewURLRouter(
		router.Path("ws/<room>/", here("room")),
		router.Mount("deep/", doubleMounts(12, &tried)),
		router.Path("gone/", fails(protocol.ErrNoRoute)),
		router.Path("mine/", fails(protocol.NewRejectError(http.StatusNotFound, "no such room"))),
	)
	rows := []struct {
		at     testkit.Line
		app    protocol.Application
		target string
		want   []string // parts of the line; nil if there is none
	}{
		{testkit.Here(), urls, "/ws/lobby", []string{"path=/ws/lobby ", "the final slash is missing"}},
		{testkit.Here(), urls, "/sw/lobby/", []string{"path=/sw/lobby/ ", `why="wye: no route" `}},
		{testkit.Here(), urls, "/ws//lobby/", []string{"path=/ws//lobby/ ", "the path is not canonical: it has an empty segment"}},
		{testkit.Here(), urls, "/deep/" + strings.Repeat("a/", 12), []string{"1000 branches"}},
		{testkit.Here(), router.Use(urls, opaque), "/ws/lobby", []string{"path=/ws/lobby ", "the final slash is missing"}}, // not a Finder
		{testkit.Here(), urls, "/gone/", []string{"path=/gone/ ", `why="wye: no route" `}},
		{testkit.Here(), urls, "/mine/", nil},
		{testkit.Here(), urls, "/" + strings.Repeat("x", 20_000), []string{"path=/xxxx"}},
		{testkit.Here(), urls, "/" + strings.Repeat("%0A", 5_000), []string{`path="/\n\n`, "a control character"}},
	}
	for _, row := range rows {
		const asked = 50
		out := &logRecorder{}
		s := websocket.New(row.app, &websocket.Options{Logger: out.logger()})
		synctest.Test(t, func(t *testing.T) { // at one moment of fake time: the lines in 10 s are limited
			for range asked {
				if status := handshake(s, row.target); status != http.StatusNotFound {
					t.Fatalf("%s: %.40s: status %d", row.at, row.target, status)
				}
			}
		})
		lines := out.lines()
		if row.want == nil {
			if lines[0] != "" {
				t.Errorf("%s: %.40s: logged %q", row.at, row.target, lines)
			}
			continue
		}
		wantAll(t, row.at, lines[0], append(row.want, "level=WARN", "no route for the path", "peer=192.0.2.1:1234")...)
		if st := s.Stats(); len(lines) > asked/2 || len(lines[0]) > 700 || st.Unrouted+st.Refused != asked {
			t.Errorf("%s: %.40s: %d lines, the first of %d bytes, counted %d and %d", row.at, row.target, len(lines), len(lines[0]), st.Unrouted, st.Refused)
		}
	}
}
