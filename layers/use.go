package layers

import "github.com/wye-go/wye/protocol"

var process Layer //nolint:gochecknoglobals // Default returns it

// Default returns the layer of this process, which consumers use unless [Middleware] gives them
// another one. It cannot be replaced or closed, so that no package can change it under
// another.
func Default() *Layer { return &process }

type layerKey struct{}

// Middleware returns the middleware that gives the application behind it the layer l. It panics if
// l is nil, which would otherwise fail only when the first consumer joins a group.
func Middleware(l *Layer) protocol.Middleware {
	if l == nil {
		panic("wye: layers.Middleware(nil): make a layer, new(layers.Layer), or leave Use out for the process's own")
	}
	return func(next protocol.Application) protocol.Application {
		return protocol.Wrap(next, func(s *protocol.Scope) (protocol.Handler, error) {
			return next.Open(s.WithValue(layerKey{}, l))
		})
	}
}

// FromScope returns the layer that s was given, or the default.
func FromScope(s *protocol.Scope) *Layer {
	if l, ok := s.Context().Value(layerKey{}).(*Layer); ok {
		return l
	}
	return &process
}
