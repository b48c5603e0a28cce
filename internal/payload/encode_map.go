package payload

import (
	"encoding"
	"fmt"
	"reflect"
	"strconv"
)

// keyed reports whether maps with keys of type t can be carried: strings, integers,
// and what has the methods of text, t itself or a pointer to it.
func keyed(t, methods, text reflect.Type) bool {
	switch t.Kind() {
	case reflect.String,
		reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return true
	default:
		return methods.Implements(text)
	}
}

func (b builder) mapEncoder(t reflect.Type) encodeFunc {
	if !keyed(t.Key(), t.Key(), textMarshalerType) {
		return func(_ *encoder, v reflect.Value) error {
			return fmt.Errorf("a %v cannot be sent: its keys are no strings", v.Type())
		}
	}
	if t == objectType {
		return func(e *encoder, v reflect.Value) error {
			return e.object(v.Interface().(map[string]any)) //nolint:errcheck,forcetypeassert // it is its type
		}
	}
	m := mapEncoder{elem: b.plan(t.Elem()), scalar: isScalar(t.Elem())}
	return m.encode
}

type mapEncoder struct {
	elem   *plan
	scalar bool // so that it does not matter whether elements have an address, which those of maps have not
}

// isScalar reports whether t has one value and no methods.
func isScalar(t reflect.Type) bool {
	k := t.Kind()
	return (k >= reflect.Bool && k <= reflect.Float64 || k == reflect.String) && reflect.PointerTo(t).NumMethod() == 0
}

func (m mapEncoder) encode(e *encoder, v reflect.Value) error {
	if v.IsNil() {
		e.b = append(e.b, codeNil)
		return nil
	}
	if err := e.enter(); err != nil {
		return err
	}
	e.b = appendMapHeader(e.b, v.Len())
	key := reflect.New(v.Type().Key()).Elem()
	var elem reflect.Value
	if m.scalar {
		elem = reflect.New(v.Type().Elem()).Elem()
	}
	for each := v.MapRange(); each.Next(); {
		key.SetIterKey(each)
		if err := e.key(key); err != nil {
			return fmt.Errorf("a key of a %v: %w", v.Type(), err)
		}
		if m.scalar {
			elem.SetIterValue(each)
		} else {
			elem = each.Value()
		}
		if err := m.elem.encode(e, elem); err != nil {
			return inKey(err, v, fmt.Sprint(key))
		}
	}
	e.leave()
	return nil
}

// key writes the key of a map.
func (e *encoder) key(k reflect.Value) error {
	if k.Kind() == reflect.String {
		e.b = appendString(e.b, k.String())
		return nil
	}
	var room [20]byte
	text := room[:0]
	m, isText := reflect.TypeAssert[encoding.TextMarshaler](k)
	switch {
	case (k.Kind() == reflect.Pointer || k.Kind() == reflect.Interface) && k.IsNil():
	case isText:
		var err error
		if text, err = m.MarshalText(); err != nil {
			return err
		}
	case k.CanInt():
		text = strconv.AppendInt(text, k.Int(), 10)
	default:
		text = strconv.AppendUint(text, k.Uint(), 10)
	}
	e.b = appendString(e.b, text)
	return nil
}
