package layers

import "github.com/wye-go/wye/protocol"

// process is the layer of this process, which lives as long as it does.
var process Layer //nolint:gochecknoglobals // Default returns it

// Default returns the layer of this process. It is what consumers use that were
// given no other. It cannot be replaced, so that nothing depends on who set it
// when; [Use] puts another one in front of an application.
func Default() *Layer { return &process }

type layerKey struct{}

// Use returns the middleware that gives everything behind it the layer l. A nil
// l panics: it would be found out only when the first consumer joins a group.
func Use(l *Layer) protocol.Middleware {
	if l == nil {
		panic("wye: layers.Use(nil): make a layer, new(layers.Layer), or leave Use out for the process's own")
	}
	return func(next protocol.Application) protocol.Application {
		return protocol.Wrap(next, func(s *protocol.Scope) (protocol.Handler, error) {
			return next.Open(s.WithValue(layerKey{}, l))
		})
	}
}

// From returns the layer that s was given, or the default.
func From(s *protocol.Scope) *Layer {
	if l, ok := s.Context().Value(layerKey{}).(*Layer); ok {
		return l
	}
	return &process
}
