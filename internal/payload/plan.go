package payload

import (
	"encoding"
	"encoding/json"
	"reflect"
	"sync"
	"time"
)

type (
	encodeFunc func(e *encoder, v reflect.Value) error
	decodeFunc func(r *reader, v reflect.Value) error
)

// plan is how the values of a type are written and read, found out once.
type plan struct {
	encode encodeFunc
	decode decodeFunc
}

// plans has the plans of all types that were met: a *plan for each reflect.Type.
//
//nolint:gochecknoglobals // a cache of what follows from types alone
var plans sync.Map

func planOf(t reflect.Type) *plan {
	if p, ok := plans.Load(t); ok {
		return p.(*plan) //nolint:errcheck,forcetypeassert // see plans
	}
	b := builder{}
	p := b.plan(t)
	for t, p := range b { // now that none is half done
		plans.LoadOrStore(t, p)
	}
	return p
}

// builder makes the plans of a type and of all that it is made of, itself perhaps.
type builder map[reflect.Type]*plan

func (b builder) plan(t reflect.Type) *plan {
	if p, ok := plans.Load(t); ok {
		return p.(*plan) //nolint:errcheck,forcetypeassert // see plans
	}
	if p := b[t]; p != nil {
		return p
	}
	p := new(plan)
	b[t] = p
	p.encode = b.encoder(t, true, false)
	p.decode = b.decoder(t)
	return p
}

// The types and interfaces that have rules of their own.
//
//nolint:gochecknoglobals // constants, which Go has not for these
var (
	marshalerType       = reflect.TypeFor[json.Marshaler]()
	unmarshalerType     = reflect.TypeFor[json.Unmarshaler]()
	textMarshalerType   = reflect.TypeFor[encoding.TextMarshaler]()
	textUnmarshalerType = reflect.TypeFor[encoding.TextUnmarshaler]()
	isZeroerType        = reflect.TypeFor[isZeroer]()
	numberType          = reflect.TypeFor[json.Number]()
	timeType            = reflect.TypeFor[time.Time]()
	objectType          = reflect.TypeFor[map[string]any]()
)

type isZeroer interface{ IsZero() bool }
