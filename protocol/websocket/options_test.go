package websocket

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/websocket/internal/handshaketest"
)

func nobody() protocol.Application {
	return protocol.ApplicationFunc(func(*protocol.Scope) (protocol.Handler, error) { return nil, protocol.ErrNoRoute })
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	// bounds is what of Options has a default and can be compared.
	type bounds struct {
		limits                  protocol.Limits
		handshake               int
		connect, writing, close time.Duration
	}
	of := func(o Options) bounds {
		return bounds{o.Limits, o.MaxHandshake, o.HandshakeTimeout, o.WriteTimeout, o.CloseTimeout}
	}
	defaults := bounds{(protocol.Limits{}).WithDefaults(), 32 << 10, 10 * time.Second, 15 * time.Second, 5 * time.Second}
	own := Options{Limits: protocol.Limits{MaxMessage: 5}, MaxHandshake: 1, HandshakeTimeout: 2, WriteTimeout: 3, CloseTimeout: 4}
	rows := []struct {
		at   testkit.Line
		o    *Options
		want bounds
	}{
		{testkit.Here(), nil, defaults},
		{testkit.Here(), &Options{}, defaults},
		{testkit.Here(), &Options{Limits: protocol.Limits{MaxMessage: -1}, MaxHandshake: -1, HandshakeTimeout: -1, WriteTimeout: -1, CloseTimeout: -1}, defaults},
		{testkit.Here(), &own, bounds{(protocol.Limits{MaxMessage: 5}).WithDefaults(), 1, 2, 3, 4}},
	}
	for _, row := range rows {
		got := row.o.withDefaults()
		if of(got) != row.want || got.Logger != slog.Default() {
			t.Errorf("%s: got %+v, want %+v", row.at, got, row.want)
		}
	}
	if own.Logger != nil || own.Limits.QueueBytes != 0 {
		t.Errorf("the caller's options were changed: %+v", own)
	}
}

func TestNewWithoutApplication(t *testing.T) {
	t.Parallel()
	defer func() {
		if v, ok := recover().(string); !ok || !strings.HasPrefix(v, "wye: websocket.New: ") {
			t.Errorf("New(nil, nil) did not panic about it: %v", v)
		}
	}()
	New(nil, nil)
}

func TestMatch(t *testing.T) {
	t.Parallel()
	s := Handler(nobody())
	if s.Type() != "websocket" {
		t.Errorf("Type() = %q", s.Type())
	}
	rows := []struct {
		at     testkit.Line
		method string
		lines  []string
		want   bool
	}{
		{testkit.Here(), http.MethodGet, []string{"websocket"}, true},
		{testkit.Here(), http.MethodGet, []string{"WebSocket"}, true},
		{testkit.Here(), http.MethodGet, []string{"h2c, websocket"}, true},
		{testkit.Here(), http.MethodGet, []string{"h2c", "websocket"}, true},
		{testkit.Here(), http.MethodPost, []string{"websocket"}, true}, // to be refused as what it is
		{testkit.Here(), http.MethodGet, []string{"h2c"}, false},
		{testkit.Here(), http.MethodGet, []string{"x websocket"}, false},
		{testkit.Here(), http.MethodGet, []string{""}, false},
		{testkit.Here(), http.MethodGet, nil, false},
	}
	for _, row := range rows {
		r := &http.Request{Method: row.method, Header: http.Header{"Upgrade": row.lines}}
		if got := s.Match(r); got != row.want {
			t.Errorf("%s: Match of Upgrade %q: got %v, want %v", row.at, row.lines, got, row.want)
		}
	}
}

// TestAdmissionNamesOptions: what package admission says about options and refusals names
// the fields of this package.
func TestAdmissionNamesOptions(t *testing.T) {
	t.Parallel()
	for field, o := range map[string]*Options{
		"Origins":        {Origins: []string{"*"}},
		"Hosts":          {Hosts: []string{"*"}},
		"TrustedProxies": {TrustedProxies: []netip.Prefix{{}}},
	} {
		func() {
			defer func() {
				if v, ok := recover().(string); !ok || !strings.HasPrefix(v, "wye: websocket.Options."+field+": ") {
					t.Errorf("New panics with %q, want websocket.Options.%s named", v, field)
				}
			}()
			New(nobody(), o)
		}()
	}
	r, w := handshaketest.Request(), httptest.NewRecorder()
	r.Header.Set("Origin", "https://elsewhere.example")
	New(nobody(), nil).ServeHTTP(w, r)
	if !strings.Contains(w.Body.String(), "listed in websocket.Options.Origins") {
		t.Errorf("a page is refused with %q", w.Body)
	}
}
