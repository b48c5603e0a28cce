package router_test

import (
	"errors"
	"net/http"
	"testing"

	"github.com/wye-go/wye/consumer/consumertest"
	"github.com/wye-go/wye/internal/scopes"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/router"
)

// TestMiddlewareIsTransparent checks, for each middleware, that Find sees the routes behind
// it, and that an application that returns neither a handler nor an error gets the usual
// answer.
func TestMiddlewareIsTransparent(t *testing.T) {
	t.Parallel()
	nothing := protocol.ApplicationFunc(func(*protocol.Scope) (protocol.Handler, error) { return nil, nil }) //nolint:nilnil // the mistake that is tested
	for name, m := range map[string]protocol.Middleware{
		"Limit": router.Limit(protocol.Limits{}), "MaxConns": router.MaxConns(1), "Log": router.Log((&logRecorder{}).logger()),
	} {
		urls := router.NewURLRouter(router.RePath(`^x/$`, here("x")))
		app := router.NewURLRouter(router.Mount("a/", router.Use(urls, m)), router.RePath(`^a/y/$`, here("y")))
		for path, want := range map[string]string{"/a/x/": `x "/a/x/" ""`, "/a/y/": `y "/a/y/" ""`, "/a/z/": notFound("/a/z/")} {
			if got := open(app, path); got != want {
				t.Errorf("%s: %s, want %s", name, got, want)
			}
		}
		if _, ok := router.Use(urls, m).(scopes.Finder); !ok {
			t.Errorf("%s: no Finder", name)
		}
		refused := consumertest.Refused(t, router.Use(nothing, m), "/", nil)
		if _, panicked := errors.AsType[*protocol.PanicError](refused); panicked || refused.Status != http.StatusInternalServerError {
			t.Errorf("%s: an application that returns nothing is refused with %v", name, refused)
		}
	}
}
