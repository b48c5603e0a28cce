package protocol_test

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/wye-go/wye/internal/plumbing"
	"github.com/wye-go/wye/internal/scopes"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/protocol"
)

func TestParamAs(t *testing.T) {
	t.Parallel()
	scope := func(text string) *protocol.Scope {
		return scopes.WithRoute(protocol.NewScope("websocket", request()), &plumbing.Match{Params: []plumbing.Param{{Name: "p", Value: text}}})
	}
	as := func(v any, err error) string {
		if err != nil && (!errors.Is(err, protocol.ErrNoRoute) || !strings.Contains(err.Error(), `parameter "p" is "`)) {
			t.Errorf("the error is %v", err)
		}
		return fmt.Sprintf("%v, %t", v, err == nil)
	}
	for _, row := range []struct {
		at        testkit.Line
		got, want string
	}{
		{testkit.Here(), as(protocol.ParamAs[string](scope("x y"), "p")), "x y, true"},
		{testkit.Here(), as(protocol.ParamAs[int](scope("-42"), "p")), "-42, true"},
		{testkit.Here(), as(protocol.ParamAs[int](scope("4x"), "p")), "0, false"},
		{testkit.Here(), as(protocol.ParamAs[int](scope(""), "p")), "0, false"},
		{testkit.Here(), as(protocol.ParamAs[int64](scope("9223372036854775807"), "p")), "9223372036854775807, true"},
		{testkit.Here(), as(protocol.ParamAs[int64](scope("9223372036854775808"), "p")), "0, false"},
		{testkit.Here(), as(protocol.ParamAs[uint64](scope("18446744073709551615"), "p")), "18446744073709551615, true"},
		{testkit.Here(), as(protocol.ParamAs[uint64](scope("-1"), "p")), "0, false"},
		{testkit.Here(), as(protocol.ParamAs[float64](scope("0.5"), "p")), "0.5, true"},
		{testkit.Here(), as(protocol.ParamAs[bool](scope("true"), "p")), "true, true"},
		{testkit.Here(), as(protocol.ParamAs[bool](scope("maybe"), "p")), "false, false"},
		{testkit.Here(), as(protocol.ParamAs[netip.Addr](scope("192.0.2.1"), "p")), "192.0.2.1, true"},
		{testkit.Here(), as(protocol.ParamAs[netip.Addr](scope("300.0.2.1"), "p")), "invalid IP, false"},
	} {
		if row.got != row.want {
			t.Errorf("%s: %s, want %s", row.at, row.got, row.want)
		}
	}
	defer func() {
		if got := fmt.Sprint(recover()); !strings.Contains(got, "cannot be read as struct") {
			t.Errorf("a type that nobody can read panicked with %q", got)
		}
	}()
	_, _ = protocol.ParamAs[struct{}](scope("x"), "p")
}

// TestScopeArgs: they concatenate from the outside, and copies share nothing that
// one of them could write.
func TestScopeArgs(t *testing.T) {
	t.Parallel()
	s := protocol.NewScope("websocket", request())
	outer := scopes.WithRoute(s, &plumbing.Match{Args: append(make([]string, 0, 8), "a")})
	one, two := scopes.WithRoute(outer, &plumbing.Match{Args: []string{"b"}}), scopes.WithRoute(outer, &plumbing.Match{Args: []string{"", "c"}})
	if got := fmt.Sprintf("%q %q %q %q", s.Args(), outer.Args(), one.Args(), two.Args()); got != `[] ["a"] ["a" "b"] ["a" "" "c"]` {
		t.Errorf("got %s", got)
	}
}

// TestChannelScope has no request, and the worker's context.
func TestChannelScope(t *testing.T) {
	t.Parallel()
	s := scopes.ForChannel(t.Context(), "mail").WithValue(t.Name(), 1)
	if s.Type() != "channel" || s.Channel() != "mail" || s.Request() != nil || s.Param("x") != "" || s.Context().Value(t.Name()) != 1 || s.Context().Done() != t.Context().Done() {
		t.Errorf("got %+v", s)
	}
	accepted := false
	sess := protocol.NewSession(t.Context(), protocol.ApplicationFunc(func(*protocol.Scope) (protocol.Handler, error) {
		accepted = true
		return &fakes.Handler{}, nil
	}), s, &wire{}, nil)
	if !sess.Open() || !accepted {
		t.Error("a session of it does not open")
	}
	sess.Ended(protocol.CloseStatus{Code: protocol.CloseNormal})
}
