package layers

import (
	"github.com/wye-go/wye/internal/plumbing"
	"github.com/wye-go/wye/internal/scopes"
	"github.com/wye-go/wye/protocol"
)

var process Layer //nolint:gochecknoglobals // Default returns it

// Default returns the layer of this process. Consumers use it unless [Middleware] gives them
// another one. It cannot be replaced or closed, because all packages of the program share it.
func Default() *Layer { return &process }

// Middleware returns middleware that makes the consumers behind it use the layer l. It
// panics if l is nil.
func Middleware(l *Layer) protocol.Middleware {
	if l == nil {
		panic("wye: layers.Middleware(nil): pass a layer, such as new(layers.Layer), or leave Middleware out to use layers.Default")
	}
	return func(next protocol.Application) protocol.Application {
		return protocol.Wrap(next, func(s *protocol.Scope) (protocol.Handler, error) {
			return next.Open(s.WithValue(plumbing.LayerKey{}, l))
		})
	}
}

// FromScope returns the layer that [Middleware] has given the application of s, or
// [Default]'s.
func FromScope(s *protocol.Scope) *Layer {
	if l, ok := scopes.Values(s).Value(plumbing.LayerKey{}).(*Layer); ok {
		return l
	}
	return &process
}
