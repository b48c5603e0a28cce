package payload

import (
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"sync"
	"time"
)

// Encode returns v as MessagePack. The error names the field that cannot be
// carried.
func Encode(v any) ([]byte, error) {
	e := encoders.Get().(*encoder) //nolint:errcheck,forcetypeassert // it has no others
	e.b, e.depth, e.hops = e.b[:0], 0, 0
	err := e.any(v)
	if err == nil && uint64(len(e.b)) > math.MaxUint32 {
		err = errors.New("it is larger than 4 GiB")
	}
	b := e.b
	if cap(b) <= maxKept {
		b = slices.Clone(b)
	} else {
		e.b = nil
	}
	encoders.Put(e)
	if err != nil {
		return nil, err
	}
	return b, nil
}

// maxKept is the largest buffer that is used again.
const maxKept = 64 << 10

var encoders = sync.Pool{New: func() any { return &encoder{b: make([]byte, 0, 512)} }}

// encoder writes one payload.
type encoder struct {
	b     []byte
	depth int // of lists and maps
	hops  int // of pointers
}

// maxHops is how many pointers may lead to a value: there are pointers that lead
// to themselves without a list or map between.
const maxHops = 2 * maxDepth

func (e *encoder) enter() error {
	e.depth++
	if e.depth > maxDepth {
		return errDeep
	}
	return nil
}

func (e *encoder) leave() { e.depth-- }

// any writes a value of whatever type. The usual ones need no reflection.
func (e *encoder) any(x any) error {
	switch x := x.(type) {
	case nil:
		e.b = append(e.b, codeNil)
	case string:
		e.b = appendString(e.b, x)
	case bool:
		e.b = appendBool(e.b, x)
	case int:
		e.b = appendInt(e.b, int64(x))
	case int64:
		e.b = appendInt(e.b, x)
	case float64:
		e.b = appendFloat64(e.b, x)
	case map[string]any:
		return e.object(x)
	case []any:
		return e.list(x)
	default:
		v := reflect.ValueOf(x)
		return planOf(v.Type()).encode(e, v)
	}
	return nil
}

func (e *encoder) object(m map[string]any) error {
	if m == nil {
		e.b = append(e.b, codeNil)
		return nil
	}
	if err := e.enter(); err != nil {
		return err
	}
	e.b = appendMapHeader(e.b, len(m))
	for key, x := range m {
		e.b = appendString(e.b, key)
		if err := e.any(x); err != nil {
			return inKey(err, reflect.ValueOf(m), key)
		}
	}
	e.leave()
	return nil
}

func (e *encoder) list(all []any) error {
	if all == nil {
		e.b = append(e.b, codeNil)
		return nil
	}
	if err := e.enter(); err != nil {
		return err
	}
	e.b = appendArrayHeader(e.b, len(all))
	for i, x := range all {
		if err := e.any(x); err != nil {
			return inIndex(err, reflect.ValueOf(all), i)
		}
	}
	e.leave()
	return nil
}

// encoder returns how values of type t are written. Methods of *t are used if
// addressable is set and the value has an address. quoted is the option "string"
// of a field.
func (b builder) encoder(t reflect.Type, addressable, quoted bool) encodeFunc {
	addressable = addressable && t.Kind() != reflect.Pointer
	switch {
	case t == timeType:
		return encodeTime
	case t.Implements(marshalerType):
		return encodeMarshaler
	case addressable && reflect.PointerTo(t).Implements(marshalerType):
		return ifAddressable(encodeMarshaler, b.encoder(t, false, quoted))
	case t.Implements(textMarshalerType):
		return encodeTextMarshaler
	case addressable && reflect.PointerTo(t).Implements(textMarshalerType):
		return ifAddressable(encodeTextMarshaler, b.encoder(t, false, quoted))
	}
	return b.plainEncoder(t, quoted)
}

// plainEncoder is encoder without methods.
func (b builder) plainEncoder(t reflect.Type, quoted bool) encodeFunc {
	switch t.Kind() {
	case reflect.Struct:
		return b.structEncoder(t)
	case reflect.Map:
		return b.mapEncoder(t)
	case reflect.Slice, reflect.Array:
		return b.listEncoder(t)
	case reflect.Pointer:
		if quoted {
			return pointerEncoder(&plan{encode: b.encoder(t.Elem(), true, true)})
		}
		return pointerEncoder(b.plan(t.Elem()))
	default:
		if quoted {
			return encodeQuoted
		}
		return encodeScalar
	}
}

func encodeScalar(e *encoder, v reflect.Value) error {
	switch {
	case v.Kind() == reflect.String:
		if v.Type() == numberType {
			return e.number(v.String())
		}
		e.b = appendString(e.b, v.String())
	case v.Kind() == reflect.Bool:
		e.b = appendBool(e.b, v.Bool())
	case v.CanInt():
		e.b = appendInt(e.b, v.Int())
	case v.CanUint():
		e.b = appendUint(e.b, v.Uint())
	case v.Kind() == reflect.Float32:
		e.b = appendFloat32(e.b, float32(v.Float()))
	case v.Kind() == reflect.Float64:
		e.b = appendFloat64(e.b, v.Float())
	case v.Kind() == reflect.Interface:
		if v.IsNil() {
			e.b = append(e.b, codeNil)
			return nil
		}
		if v.CanInterface() {
			return e.any(v.Interface())
		}
		return planOf(v.Elem().Type()).encode(e, v.Elem())
	default:
		return fmt.Errorf("a %v cannot be sent", v.Type())
	}
	return nil
}

// encodeQuoted writes a scalar as a string that holds its JSON.
func encodeQuoted(e *encoder, v reflect.Value) error {
	var text []byte
	switch {
	case v.Type() == numberType:
		s, err := numberText(v.String())
		if err != nil {
			return err
		}
		text = append(text, s...)
	case v.Kind() == reflect.String:
		text = appendJSONString(text, []byte(v.String()))
	case v.Kind() == reflect.Bool:
		text = strconv.AppendBool(text, v.Bool())
	case v.CanInt():
		text = strconv.AppendInt(text, v.Int(), 10)
	case v.CanUint():
		text = strconv.AppendUint(text, v.Uint(), 10)
	default:
		var err error
		if text, err = appendJSONFloat(text, v.Float(), v.Type().Bits()); err != nil {
			return err
		}
	}
	e.b = appendString(e.b, text)
	return nil
}

func ifAddressable(yes, no encodeFunc) encodeFunc {
	return func(e *encoder, v reflect.Value) error {
		if v.CanAddr() {
			return yes(e, v.Addr())
		}
		return no(e, v)
	}
}

// method returns v as an M, whose method is to be called. It is not found in a nil
// pointer or interface, which is null.
func method[M any](v reflect.Value) (m M, found bool, err error) {
	if (v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface) && v.IsNil() {
		return m, false, nil
	}
	if !v.CanInterface() {
		return m, false, fmt.Errorf("a %v that is not exported cannot be sent", v.Type())
	}
	m, found = reflect.TypeAssert[M](v)
	return m, found, nil
}

func encodeMarshaler(e *encoder, v reflect.Value) error {
	m, found, err := method[json.Marshaler](v)
	if !found {
		e.b = append(e.b, codeNil)
		return err
	}
	data, err := m.MarshalJSON()
	if err == nil {
		err = e.json(data)
	}
	if err != nil {
		return fmt.Errorf("MarshalJSON of %v: %w", v.Type(), err)
	}
	return nil
}

func encodeTextMarshaler(e *encoder, v reflect.Value) error {
	m, found, err := method[encoding.TextMarshaler](v)
	if !found {
		e.b = append(e.b, codeNil)
		return err
	}
	text, err := m.MarshalText()
	if err != nil {
		return fmt.Errorf("MarshalText of %v: %w", v.Type(), err)
	}
	e.b = appendString(e.b, text)
	return nil
}

// encodeTime is encodeMarshaler for the type that has it most often.
func encodeTime(e *encoder, v reflect.Value) error {
	t, _, err := method[time.Time](v)
	if err != nil {
		return err
	}
	var room [len(time.RFC3339Nano) + 8]byte
	text, err := t.AppendText(room[:0])
	if err != nil {
		return err
	}
	e.b = appendString(e.b, text)
	return nil
}

func pointerEncoder(elem *plan) encodeFunc {
	return func(e *encoder, v reflect.Value) error {
		if v.IsNil() {
			e.b = append(e.b, codeNil)
			return nil
		}
		e.hops++
		if e.hops > maxHops {
			return errDeep
		}
		if err := elem.encode(e, v.Elem()); err != nil {
			return inPointer(err, v)
		}
		e.hops--
		return nil
	}
}

// isBytes reports whether a list of elem travels as bytes.
func isBytes(elem reflect.Type) bool {
	p := reflect.PointerTo(elem)
	return elem.Kind() == reflect.Uint8 && !p.Implements(marshalerType) && !p.Implements(textMarshalerType)
}

func (b builder) listEncoder(t reflect.Type) encodeFunc {
	if isBytes(t.Elem()) {
		return encodeBytes
	}
	elem := b.plan(t.Elem())
	return func(e *encoder, v reflect.Value) error {
		if v.Kind() == reflect.Slice && v.IsNil() {
			e.b = append(e.b, codeNil)
			return nil
		}
		if err := e.enter(); err != nil {
			return err
		}
		e.b = appendArrayHeader(e.b, v.Len())
		for i := range v.Len() {
			if err := elem.encode(e, v.Index(i)); err != nil {
				return inIndex(err, v, i)
			}
		}
		e.leave()
		return nil
	}
}

func encodeBytes(e *encoder, v reflect.Value) error {
	switch {
	case v.Kind() == reflect.Slice && v.IsNil():
		e.b = append(e.b, codeNil)
	case v.Kind() == reflect.Slice || v.CanAddr():
		e.b = appendBytes(e.b, v.Bytes())
	default: // an array without an address
		e.b = appendLength(e.b, codeBin8, v.Len())
		for i := range v.Len() {
			e.b = append(e.b, byte(v.Index(i).Uint()))
		}
	}
	return nil
}

// number writes what a json.Number holds.
func (e *encoder) number(s string) error {
	s, err := numberText(s)
	if err != nil {
		return err
	}
	e.b, err = appendNumber(e.b, s)
	return err
}

// numberText returns what is in a json.Number, of which "" is 0.
func numberText(s string) (string, error) {
	if s == "" {
		return "0", nil
	}
	if !isNumber(s) {
		return "", fmt.Errorf("%.40q is not a number", s)
	}
	return s, nil
}

// isNumber reports whether s is a number of JSON and nothing else.
func isNumber(s string) bool {
	first, last := s[0], s[len(s)-1]
	return (first == '-' || first >= '0' && first <= '9') && last >= '0' && last <= '9' && json.Valid([]byte(s))
}
