package payload

import (
	"encoding"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"time"
)

// Decode reads MessagePack into what the pointer into points to, which is a zero
// value. After an error it is not whole. The error names the field that does not
// fit. Nothing that is read shares memory with b.
func Decode(b []byte, into any) error {
	v := reflect.ValueOf(into).Elem()
	r := &reader{b: b}
	if err := planOf(v.Type()).decode(r, v); err != nil {
		return err
	}
	if r.i < len(b) {
		return errors.New("something follows the payload")
	}
	return nil
}

func (b builder) decoder(t reflect.Type) decodeFunc {
	plain := b.plainDecoder(t)
	pointer := reflect.PointerTo(t)
	switch {
	case t.Kind() == reflect.Pointer || t.Name() == "":
		return plain
	case t == timeType:
		return decodeTime
	case pointer.Implements(unmarshalerType):
		return func(r *reader, v reflect.Value) error {
			if !v.CanInterface() {
				return plain(r, v)
			}
			return unmarshalJSON(r, v.Addr())
		}
	case pointer.Implements(textUnmarshalerType):
		return func(r *reader, v reflect.Value) error {
			if !v.CanInterface() || r.i < len(r.b) && r.b[r.i] == codeNil {
				return plain(r, v)
			}
			return unmarshalText(r, v.Addr())
		}
	}
	return plain
}

func unmarshalJSON(r *reader, v reflect.Value) error {
	data, err := r.appendJSON(make([]byte, 0, 64))
	if err != nil {
		return err
	}
	return v.Interface().(json.Unmarshaler).UnmarshalJSON(data) //nolint:errcheck,forcetypeassert // its plan says so
}

func unmarshalText(r *reader, v reflect.Value) error {
	t, err := r.next()
	if err != nil {
		return err
	}
	if t.kind != kindString {
		return errUnfit(t, v.Type().Elem())
	}
	return v.Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(t.text())) //nolint:errcheck,forcetypeassert // its plan says so
}

func decodeTime(r *reader, v reflect.Value) error {
	if r.isNil() {
		return nil
	}
	t, err := r.next()
	if err != nil {
		return err
	}
	if t.kind != kindString {
		return errUnfit(t, timeType)
	}
	return v.Addr().Interface().(*time.Time).UnmarshalText(t.data) //nolint:errcheck,forcetypeassert // it is its type
}

// text returns a string, of which what is not UTF-8 is U+FFFD.
func (t token) text() string {
	if valid(t.data) {
		return string(t.data)
	}
	return string([]rune(string(t.data)))
}

// plainDecoder returns how values of a type are read that has no methods for it.
func (b builder) plainDecoder(t reflect.Type) decodeFunc {
	switch t.Kind() {
	case reflect.Pointer:
		return b.pointerDecoder(t)
	case reflect.Struct:
		return b.structDecoder(t)
	case reflect.Map:
		return b.mapDecoder(t)
	case reflect.Slice:
		return b.sliceDecoder(t)
	case reflect.Array:
		return b.arrayDecoder(t)
	case reflect.Interface:
		return decodeInterface
	default:
		return decodeScalar
	}
}

func (b builder) pointerDecoder(t reflect.Type) decodeFunc {
	elem := b.plan(t.Elem())
	decode := func(r *reader, v reflect.Value) error { return elem.decode(r, v.Elem()) }
	if t.Elem().Name() == "" && t.Elem().Kind() != reflect.Pointer { // an embedded field may give it methods
		switch {
		case t.Implements(unmarshalerType):
			decode = unmarshalJSON
		case t.Implements(textUnmarshalerType):
			decode = unmarshalText
		}
	}
	return func(r *reader, v reflect.Value) error {
		if r.isNil() {
			v.SetZero()
			return nil
		}
		if v.IsNil() {
			v.Set(reflect.New(t.Elem()))
		}
		return decode(r, v)
	}
}

func decodeInterface(r *reader, v reflect.Value) error {
	if v.NumMethod() > 0 {
		t, err := r.next()
		switch {
		case err != nil:
			return err
		case t.kind == kindNil:
			v.SetZero()
			return nil
		}
		return errUnfit(t, v.Type())
	}
	x, err := r.any()
	switch {
	case err != nil:
		return err
	case x == nil:
		v.SetZero()
	default:
		v.Set(reflect.ValueOf(x))
	}
	return nil
}

func decodeScalar(r *reader, v reflect.Value) error {
	t, err := r.next()
	if err != nil || t.kind == kindNil {
		return err
	}
	switch {
	case v.Kind() == reflect.Bool && t.kind == kindBool:
		v.SetBool(t.bits != 0)
		return nil
	case v.Kind() == reflect.String && v.Type() == numberType:
		return t.setNumber(v)
	case v.Kind() == reflect.String && t.kind == kindString:
		v.SetString(t.text())
		return nil
	case v.CanInt() || v.CanUint():
		return t.setInteger(v)
	case v.CanFloat() && t.kind >= kindInt && t.kind <= kindFloat64:
		return t.setFloat(v)
	}
	return errUnfit(t, v.Type())
}

func (t token) setNumber(v reflect.Value) error {
	text := t.data
	if t.kind != kindString {
		if t.kind < kindInt || t.kind > kindFloat64 {
			return errUnfit(t, v.Type())
		}
		var err error
		if text, err = t.number(nil); err != nil {
			return err
		}
	} else if len(text) == 0 || !isNumber(string(text)) {
		return fmt.Errorf("%.40q is not a number", text)
	}
	v.SetString(string(text))
	return nil
}

// setInteger sets an integer to a number that is whole.
func (t token) setInteger(v reflect.Value) error {
	if t.kind < kindInt || t.kind > kindFloat64 {
		return errUnfit(t, v.Type())
	}
	n, whole := t.whole()
	switch {
	case !whole:
	case v.CanInt() && n.kind == kindInt && !v.OverflowInt(int64(n.bits)):
		v.SetInt(int64(n.bits))
		return nil
	case v.CanUint() && (n.kind == kindUint || int64(n.bits) >= 0) && !v.OverflowUint(n.bits):
		v.SetUint(n.bits)
		return nil
	}
	text, err := t.number(nil)
	if err != nil {
		return err
	}
	return fmt.Errorf("the number %s cannot be read as %v", text, v.Type())
}

// whole returns a number as an integer, if it is one.
func (t token) whole() (n token, ok bool) {
	if t.kind < kindFloat32 {
		return t, true
	}
	switch f := t.float(); {
	case f != math.Trunc(f):
	case f >= -1<<63 && f < 1<<63:
		return token{kind: kindInt, bits: uint64(int64(f))}, true
	case f >= 1<<63 && f < 1<<64:
		return token{kind: kindUint, bits: uint64(f)}, true
	}
	return t, false
}

func (t token) setFloat(v reflect.Value) error {
	f := t.float()
	if v.Kind() == reflect.Float32 {
		near := float64(float32(f)) // rounded before it is judged
		if t.kind == kindFloat32 {
			near = float64(math.Float32frombits(uint32(t.bits)))
		}
		if math.IsInf(near, 0) && !math.IsInf(f, 0) {
			return fmt.Errorf("the number %v cannot be read as %v", f, v.Type())
		}
		f = near
	}
	v.SetFloat(f)
	return nil
}

// float returns a number as a float64. A float32 is the number that is meant: 0.1,
// not 0.10000000149011612.
func (t token) float() float64 {
	switch t.kind {
	case kindInt:
		return float64(int64(t.bits))
	case kindUint:
		return float64(t.bits)
	case kindFloat32:
		f := float64(math.Float32frombits(uint32(t.bits)))
		if math.IsNaN(f) || math.IsInf(f, 0) || f == math.Trunc(f) && math.Abs(f) < 1<<24 {
			return f
		}
		var room [32]byte
		f, _ = strconv.ParseFloat(string(strconv.AppendFloat(room[:0], f, 'g', -1, 32)), 64) //nolint:errcheck // it has just been written
		return f
	default:
		return math.Float64frombits(t.bits)
	}
}

// number writes a number as in JSON.
func (t token) number(b []byte) ([]byte, error) {
	switch t.kind {
	case kindInt:
		return strconv.AppendInt(b, int64(t.bits), 10), nil
	case kindUint:
		return strconv.AppendUint(b, t.bits, 10), nil
	case kindFloat32:
		return appendJSONFloat(b, float64(math.Float32frombits(uint32(t.bits))), 32)
	default:
		return appendJSONFloat(b, math.Float64frombits(t.bits), 64)
	}
}

// base64Text returns the bytes that a string of Base64 holds.
func (t token) base64Text() ([]byte, error) {
	b := make([]byte, base64.StdEncoding.DecodedLen(len(t.data)))
	n, err := base64.StdEncoding.Decode(b, t.data)
	return b[:n], err
}
