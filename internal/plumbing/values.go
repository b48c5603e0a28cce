package plumbing

import "context"

// Values are the pairs that Scope.WithValue has added. The zero value has none.
type Values struct{ last *value }

// value is one pair, in front of the ones that were added before it.
type value struct {
	key, val any
	next     *value
}

// With returns v with one more pair.
func (v Values) With(key, val any) Values { return Values{&value{key: key, val: val, next: v.last}} }

// Bind returns ctx with the values; ctx itself if there are none.
func (v Values) Bind(ctx context.Context) context.Context {
	if v.last == nil {
		return ctx
	}
	return &bound{Context: ctx, values: v.last}
}

type bound struct {
	context.Context //nolint:containedctx // it is a context
	values          *value
}

func (b *bound) Value(key any) any {
	for v := b.values; v != nil; v = v.next {
		if v.key == key {
			return v.val
		}
	}
	return b.Context.Value(key)
}
