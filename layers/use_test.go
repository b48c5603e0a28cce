package layers_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/router"
)

// found is the layer that an application behind middleware finds.
func found(t *testing.T, middleware ...protocol.Middleware) *layers.Layer {
	t.Helper()
	var l *layers.Layer
	app := router.Use(protocol.ApplicationFunc(func(s *protocol.Scope) (protocol.Handler, error) {
		l = layers.FromScope(s)
		return nil, protocol.ErrNoRoute
	}), middleware...)
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	if _, err := app.Open(protocol.NewScope("websocket", r)); err == nil {
		t.Fatal("opened")
	}
	return l
}

func TestDecision18_TheLayerIsTheProcesssOrWhatUsePutsInFront(t *testing.T) {
	t.Parallel()
	a, b := new(layers.Layer), new(layers.Layer)
	user := func(next protocol.Application) protocol.Application {
		return protocol.ApplicationFunc(func(s *protocol.Scope) (protocol.Handler, error) { return next.Open(s.WithUser("ann")) })
	}
	rows := []struct {
		at   testkit.Line
		name string
		got  *layers.Layer
		want *layers.Layer
	}{
		{testkit.Here(), "no Use", found(t), layers.Default()},
		{testkit.Here(), "Use", found(t, layers.Middleware(a)), a},
		{testkit.Here(), "Use twice: the inner wins", found(t, layers.Middleware(a), layers.Middleware(b)), b},
		{testkit.Here(), "and the other way round", found(t, layers.Middleware(b), layers.Middleware(a)), a},
		{testkit.Here(), "through other middleware", found(t, layers.Middleware(a), user), a},
		{testkit.Here(), "the default, said explicitly", found(t, layers.Middleware(a), layers.Middleware(layers.Default())), layers.Default()},
	}
	for _, row := range rows {
		if row.got != row.want || row.got == nil {
			t.Errorf("%s: %s: found the layer %p, want %p", row.at, row.name, row.got, row.want)
		}
	}
}

func TestUseOfNoLayerPanics(t *testing.T) {
	t.Parallel()
	defer func() {
		if got := fmt.Sprint(recover()); !strings.Contains(got, "layers.Middleware(nil)") || !strings.Contains(got, "new(layers.Layer)") {
			t.Errorf("panicked with %q, want it to name the mistake and the remedy", got)
		}
	}()
	layers.Middleware(nil)
}
