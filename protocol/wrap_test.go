package protocol_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/wye-go/wye/internal/scopes"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/internal/testkit/fakes"
	"github.com/wye-go/wye/protocol"
	"github.com/wye-go/wye/protocol/admission"
)

// finder is an application that knows whether it has a route.
type finder struct {
	protocol.Application
	err error
}

func (f finder) Find(*protocol.Scope) error { return f.err }

func TestWrap(t *testing.T) {
	t.Parallel()
	inner := &fakes.Handler{}
	through := func(next protocol.Application) protocol.Application {
		return protocol.Wrap(next, func(s *protocol.Scope) (protocol.Handler, error) {
			h, err := next.Open(s.WithUser("ann"))
			return h, errors.Join(err, errInternal)
		})
	}
	for _, test := range []struct {
		at   testkit.Line
		app  protocol.Application
		find error
	}{
		{testkit.Here(), through(inner), nil}, // it cannot know
		{testkit.Here(), through(finder{inner, nil}), nil},
		{testkit.Here(), through(finder{inner, protocol.ErrNoRoute}), protocol.ErrNoRoute},
		{testkit.Here(), through(through(finder{inner, protocol.ErrNoRoute})), protocol.ErrNoRoute},
	} {
		s := protocol.NewScope("websocket", request())
		f, ok := test.app.(scopes.Finder)
		if !ok {
			t.Fatalf("%s: it is no Finder", test.at)
		}
		if err := f.Find(s); !errors.Is(err, test.find) || (err == nil) != (test.find == nil) {
			t.Errorf("%s: Find says %v, want %v", test.at, err, test.find)
		}
		if h, err := test.app.Open(s); h == nil || !errors.Is(err, errInternal) {
			t.Errorf("%s: Open returned %v, %v: not what the function has", test.at, h, err)
		}
	}
}

// astray is a Finder that panics.
type astray struct{ protocol.Application }

func (astray) Find(*protocol.Scope) error { panic("astray") }

// TestFindRoute: only ErrNoRoute is found before the application is opened.
func TestFindRoute(t *testing.T) {
	t.Parallel()
	inner := &fakes.Handler{}
	for _, test := range []struct {
		at   testkit.Line
		app  protocol.Application
		find error
	}{
		{testkit.Here(), inner, nil},
		{testkit.Here(), finder{inner, nil}, nil},
		{testkit.Here(), finder{inner, errInternal}, nil},
		{testkit.Here(), astray{inner}, nil},
		{testkit.Here(), finder{inner, fmt.Errorf("%w: no such room", protocol.ErrNoRoute)}, protocol.ErrNoRoute},
	} {
		if err := admission.FindRoute(test.app, protocol.NewScope("test", request())); !errors.Is(err, test.find) || (err == nil) != (test.find == nil) {
			t.Errorf("%s: got %v, want %v", test.at, err, test.find)
		}
	}
}
