package protocol_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/wye-go/wye/internal/plumbing"
	"github.com/wye-go/wye/internal/scopes"
	"github.com/wye-go/wye/protocol"
)

// TestParamAsOfAMisprint is a fault of the program, and not a path that leads
// nowhere.
func TestParamAsOfAMisprint(t *testing.T) {
	t.Parallel()
	s := scopes.WithRoute(protocol.NewScope("websocket", httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)),
		&plumbing.Match{Params: []plumbing.Param{{Name: "page", Value: "7"}}})
	if _, err := protocol.ParamAs[int](s, "pgae"); err == nil || errors.Is(err, protocol.ErrNoRoute) {
		t.Errorf("int: %v, want an error that is answered with 500 and logged", err)
	}
	if v, err := protocol.ParamAs[string](s, "pgae"); err == nil {
		t.Errorf("string: %q and no error", v)
	}
}

type roomID string

// TestParamAsOfANamedType, which is what Go programs have for identifiers.
func TestParamAsOfANamedType(t *testing.T) {
	t.Parallel()
	defer func() {
		if p := recover(); p != nil {
			t.Error(p)
		}
	}()
	s := scopes.WithRoute(protocol.NewScope("websocket", httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)),
		&plumbing.Match{Params: []plumbing.Param{{Name: "n", Value: "7"}}})
	if v, err := protocol.ParamAs[uint](s, "n"); v != 7 || err != nil {
		t.Error(v, err)
	}
	if v, err := protocol.ParamAs[roomID](s, "n"); v != "7" || err != nil {
		t.Error(v, err)
	}
}

// TestUserAsOfNobody: somebody anonymous is not a user.
func TestUserAsOfNobody(t *testing.T) {
	t.Parallel()
	s := protocol.NewScope("websocket", httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)).WithUser((*http.Cookie)(nil))
	if u, ok := protocol.UserAs[*http.Cookie](s); ok {
		t.Errorf("%v is a user", u)
	}
}
