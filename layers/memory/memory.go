// Package memory makes channel layers that live in this process: for programs
// that run as one process and want several layers, and for tests that want
// their own.
package memory

import "github.com/wye-go/wye/layers"

// Options are those of a layer: how much its named channels hold, and for how long.
type Options = layers.LocalOptions

// New returns an empty layer, which nothing but this process sees. Give it to
// an application with layers.Use.
func New() *layers.Layer { return new(layers.Layer) }

// NewWith is New with options, which may be nil. It panics if they contain
// mistakes.
func NewWith(o *Options) *layers.Layer { return layers.NewLocal(o) }
