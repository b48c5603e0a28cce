package router_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/protocol/websocket"
	"github.com/wye-go/wye/protocol/websocket/websockettest"
	"github.com/wye-go/wye/router"
)

// visitor joins the group whose name is in the path.
type visitor struct {
	consumer.Base
	room string
}

func (v *visitor) Connect(ctx context.Context, c *consumer.Conn) error {
	return c.Join(ctx, "chat."+v.room)
}

func newVisitor(s *consumer.Scope) *visitor { return &visitor{room: s.Param("room")} }

// TestInvalidGroupNameInPath checks that a connection whose path has an invalid name of a
// group is answered with 404, and that many of them do not fill the log.
func TestInvalidGroupNameInPath(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		at       testkit.Line
		pattern  string
		room     string
		status   int
		maxLines int
	}{
		{testkit.Here(), `^chat/(?P<room>\w+)/$`, strings.Repeat("a", 95), http.StatusNotFound, 10},
		{testkit.Here(), `^chat/(?P<room>\w+)/$`, strings.Repeat("a", 30_000), http.StatusNotFound, 10},
		{testkit.Here(), `^chat/(?P<room>.+)/$`, "caf\u00e9", http.StatusNotFound, 10},
		{testkit.Here(), `^chat/(?P<room>.+)/$`, "a b", http.StatusNotFound, 10},
		{testkit.Here(), `^chat/(?P<room>[^/]+)/$`, "a/b", http.StatusNotFound, 10},
	} {
		synctest.Test(t, func(t *testing.T) { // within 10 s of fake time, for which the number of lines is limited
			out := &logRecorder{drop: " level msg "}
			l := websockettest.Serve(t, &http.Server{Handler: websocket.New(
				router.NewURLRouter(router.RePath(row.pattern, consumer.New(newVisitor))), &websocket.Options{Logger: out.logger()},
			)})
			for range 50 {
				a := websockettest.New(t, l.Dial()).Handshake(websockettest.Request("/chat/" + url.PathEscape(row.room) + "/"))
				if a.Status != row.status || len(a.Body) > 1000 {
					t.Errorf("%s: answered with %d and %d bytes, want %d", row.at, a.Status, len(a.Body), row.status)
				}
			}
			lines := out.lines()
			if len(lines) > row.maxLines || lines[0] == "" {
				t.Errorf("%s: %d lines, want 1 to %d", row.at, len(lines), row.maxLines)
			}
			for _, l := range lines {
				if len(l) > 1500 || strings.Contains(l, "ERROR") || !strings.Contains(l, "invalid name") {
					t.Errorf("%s: a line of %d bytes: %.2000s", row.at, len(l), l)
				}
			}
		})
	}
}

// TestGroupParameter checks that <group:name> matches the names that layers.ValidName
// accepts, and no others.
func TestGroupParameter(t *testing.T) {
	t.Parallel()
	urls := router.NewURLRouter(router.Path("ws/<group:room>/", here("room", "room")))
	names := []string{strings.Repeat("x", layers.MaxName), strings.Repeat("x", layers.MaxName+1), strings.Repeat("x", 30_000), layers.GroupName("room", "caf\u00e9")}
	for c := range 256 {
		names = append(names, "x"+string([]byte{byte(c)}), "x"+string(rune(c)))
	}
	for _, name := range names {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/ws/"+url.PathEscape(name)+"/", nil)
		got, valid := openRequest(urls, r), layers.ValidName(name) == nil
		if found := strings.HasPrefix(got, "room "); found != valid || !found && !strings.HasPrefix(got, "404 ") {
			t.Errorf("%.120q: %.120s, but a valid name of a group: %v", name, got, valid)
		}
	}
}
