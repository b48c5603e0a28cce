package admission

import (
	"errors"

	"github.com/wye-go/wye/internal/scopes"
	"github.com/wye-go/wye/protocol"
)

// FindRoute returns an error that matches [protocol.ErrNoRoute] if app has a Find method (see [protocol.Application]) that finds no
// route for s, and otherwise nil. Another error of Find, or a panic, is nil as well: it
// occurs again when the application is opened, and the session handles it there.
func FindRoute(app protocol.Application, s *protocol.Scope) (err error) {
	f, ok := app.(scopes.Finder)
	if !ok {
		return nil
	}
	defer func() {
		if recover() != nil || !errors.Is(err, protocol.ErrNoRoute) {
			err = nil
		}
	}()
	return f.Find(s)
}
