package router_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"github.com/wye-go/wye/internal/scopes"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// here returns an application that refuses every connection, with a text that has its
// name, RootPath, Path, and the parameters of these names.
func here(name string, params ...string) protocol.Application {
	return protocol.ApplicationFunc(func(s *protocol.Scope) (protocol.Handler, error) {
		text := fmt.Sprintf("%s %q %q", name, s.RootPath(), s.Path())
		for _, p := range params {
			text += fmt.Sprintf(" %s=%q", p, s.Param(p))
		}
		return nil, protocol.NewRejectError(http.StatusTeapot, text)
	})
}

// fails returns an application whose Open returns err.
func fails(err error) protocol.Application {
	return protocol.ApplicationFunc(func(*protocol.Scope) (protocol.Handler, error) { return nil, err })
}

// open returns the answer to a connection for a decoded path: the text of here, or status
// and text of another refusal.
func open(app protocol.Application, path string) string {
	r := httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/", nil)
	r.URL.Path = path
	return openRequest(app, r)
}

// openRequest is open for a request. It also compares the results of Open and Find.
func openRequest(app protocol.Application, r *http.Request) string {
	scope := protocol.NewScope("websocket", r)
	h, err := app.Open(scope)
	if f, ok := app.(scopes.Finder); ok {
		// If Find returns an error, Open must return the same.
		if missing := f.Find(scope); missing != nil && (err == nil || err.Error() != missing.Error()) {
			return fmt.Sprintf("Find says %v, and Open %v", missing, err)
		}
	}
	var refused *protocol.RejectError
	switch {
	case h != nil || err == nil:
		return fmt.Sprintf("accepted: %v, %v", h, err)
	case !errors.As(err, &refused):
		return err.Error()
	case refused.Status == http.StatusTeapot:
		return refused.Body
	}
	return fmt.Sprint(refused.Status, " ", refused.Body)
}

// notFound returns the answer to a path that no route matches.
func notFound(path string) string { return fmt.Sprintf("404 nothing is served at %q", path) }

// notCanonical returns the answer to a path that is not canonical.
func notCanonical(path, why string) string {
	return notFound(path) + "; the path is not canonical: " + why
}

const (
	emptySegment = "it has an empty segment"
	dotSegment   = `it has a segment "." or ".."`
	control      = "it has a control character"
	notUTF8      = "it is not UTF-8"
)

const hint = "; did you mean the same with a slash at the end?"

// panicOf returns the text of the panic of f.
func panicOf(f func()) (text string) {
	defer func() { text = fmt.Sprint(recover()) }()
	f()
	return ""
}

// lineHere returns the "file:line" of the caller, as panics have it.
func lineHere() string {
	_, file, line, _ := runtime.Caller(1)
	return fmt.Sprintf("%s:%d", file, line)
}

func wantAll(t *testing.T, at testkit.Line, got string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(got, want) {
			t.Errorf("%s: got %q, want %q in it", at, got, want)
		}
	}
}
