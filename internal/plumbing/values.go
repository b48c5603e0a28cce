package plumbing

import "context"

// Values are the pairs that Scope.WithValue has added. The zero value has none.
type Values struct{ last *value }

// value is one pair, in front of the ones that were added before it.
type value struct {
	key, val any
	next     *value
}

// LayerKey is the key of the value that layers.Middleware adds.
type LayerKey struct{}

// With returns v with one more pair.
func (v Values) With(key, val any) Values { return Values{&value{key: key, val: val, next: v.last}} }

// WithoutLayer returns v without the values of layers.Middleware that were added last. An
// application that has found its layer keeps the others only.
func (v Values) WithoutLayer() Values {
	for v.last != nil && v.last.key == (LayerKey{}) {
		v.last = v.last.next
	}
	return v
}

// Value returns the value of key, or nil.
func (v Values) Value(key any) any {
	for p := v.last; p != nil; p = p.next {
		if p.key == key {
			return p.val
		}
	}
	return nil
}

// Bind returns ctx with the values; ctx itself if there are none.
func (v Values) Bind(ctx context.Context) context.Context {
	if v.last == nil {
		return ctx
	}
	return &Bound{Context: ctx, values: v}
}

// Bound returns the values for a context that is not known yet, or nil if there are none.
func (v Values) Bound() *Bound {
	if v.last == nil {
		return nil
	}
	return &Bound{values: v}
}

// Bound is a context with values.
type Bound struct {
	context.Context //nolint:containedctx // it is a context

	values Values
}

// Bind returns ctx with the values of b, which may be nil.
func (b *Bound) Bind(ctx context.Context) context.Context {
	if b == nil {
		return ctx
	}
	return b.values.Bind(ctx)
}

// Value returns the value of key, which is one of b's own or of the context.
func (b *Bound) Value(key any) any {
	for p := b.values.last; p != nil; p = p.next {
		if p.key == key {
			return p.val
		}
	}
	return b.Context.Value(key)
}
