package payload

import (
	"fmt"
	"math"
	"reflect"
	"strconv"
)

// any reads a value without being told its type: map[string]any, []any, string,
// []byte, int64, uint64 beyond int64, float64, bool or nil.
func (r *reader) any() (any, error) {
	t, err := r.next()
	if err != nil {
		return nil, err
	}
	switch t.kind {
	case kindNil:
		return nil, nil //nolint:nilnil // nil is a value as well
	case kindBool:
		return t.bits != 0, nil
	case kindInt:
		return int64(t.bits), nil
	case kindUint:
		return t.bits, nil
	case kindFloat32:
		return t.float(), nil
	case kindFloat64:
		return math.Float64frombits(t.bits), nil
	case kindString:
		return t.text(), nil
	case kindBytes:
		return append([]byte{}, t.data...), nil
	case kindArray:
		return r.anyList(t.n)
	default:
		return r.anyObject(t.n)
	}
}

// firstRoom is how many elements are made room for before any was read: what says
// how many there are may lie.
const firstRoom = 64

func (r *reader) anyList(n int) (any, error) {
	if err := r.enter(); err != nil {
		return nil, err
	}
	all := make([]any, 0, min(n, firstRoom))
	for i := range n {
		x, err := r.any()
		if err != nil {
			return nil, within(err, step{name: "[" + strconv.Itoa(i) + "]"})
		}
		all = append(all, x)
	}
	r.leave()
	return all, nil
}

func (r *reader) anyObject(n int) (map[string]any, error) {
	if err := r.enter(); err != nil {
		return nil, err
	}
	m := make(map[string]any, min(n, firstRoom))
	for range n {
		key, err := r.key()
		if err != nil {
			return nil, err
		}
		name := string(key)
		x, err := r.any()
		if err != nil {
			return nil, within(err, step{name: fmt.Sprintf("[%.40q]", name)})
		}
		m[name] = x
	}
	r.leave()
	return m, nil
}

// key reads the key of a map. Python may send integers and bytes too: they are
// read as the text that JSON would have.
func (r *reader) key() ([]byte, error) {
	t, err := r.next()
	if err != nil {
		return nil, err
	}
	switch t.kind {
	case kindString, kindBytes:
		if valid(t.data) {
			return t.data, nil
		}
		return []byte(t.text()), nil
	case kindInt, kindUint:
		return t.number(nil)
	default:
		return nil, fmt.Errorf("%v cannot be the key of an object", t.kind)
	}
}

func (b builder) mapDecoder(t reflect.Type) decodeFunc {
	if !keyed(t.Key(), reflect.PointerTo(t.Key()), textUnmarshalerType) {
		return decodeNothing
	}
	if t == objectType {
		return func(r *reader, v reflect.Value) error {
			if r.isNil() {
				v.SetZero()
				return nil
			}
			head, err := r.head(kindMap, t)
			if err != nil {
				return err
			}
			m, err := r.anyObject(head.n)
			if err == nil {
				v.Set(reflect.ValueOf(m))
			}
			return err
		}
	}
	elem := b.plan(t.Elem())
	return func(r *reader, v reflect.Value) error {
		if r.isNil() {
			v.SetZero()
			return nil
		}
		return decodeMap(r, v, elem)
	}
}

func decodeMap(r *reader, v reflect.Value, elem *plan) error {
	head, err := r.head(kindMap, v.Type())
	if err != nil {
		return err
	}
	if v.IsNil() {
		v.Set(reflect.MakeMapWithSize(v.Type(), min(head.n, firstRoom)))
	}
	key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
	for range head.n {
		text, err := r.key()
		if err != nil {
			return err
		}
		key.SetZero()
		value.SetZero()
		if err := setKey(key, text); err != nil {
			return err
		}
		if err := elem.decode(r, value); err != nil {
			return within(err, step{name: fmt.Sprintf("[%.40q]", text)})
		}
		v.SetMapIndex(key, value)
	}
	r.leave()
	return nil
}

// head reads the head of a list or map that is to be read as a t, and goes inside.
func (r *reader) head(k kind, t reflect.Type) (token, error) {
	head, err := r.next()
	switch {
	case err != nil:
		return head, err
	case head.kind != k:
		return head, errUnfit(head, t)
	}
	return head, r.enter()
}

// setKey sets the key of a map to what its text says.
func setKey(key reflect.Value, text []byte) error {
	switch {
	case reflect.PointerTo(key.Type()).Implements(textUnmarshalerType):
		return unmarshalText(&reader{b: appendString(nil, text)}, key.Addr())
	case key.Kind() == reflect.String:
		key.SetString(string(text))
		return nil
	case key.CanInt():
		n, err := strconv.ParseInt(string(text), 10, 64)
		if err != nil || key.OverflowInt(n) {
			break
		}
		key.SetInt(n)
		return nil
	case key.CanUint():
		n, err := strconv.ParseUint(string(text), 10, 64)
		if err != nil || key.OverflowUint(n) {
			break
		}
		key.SetUint(n)
		return nil
	}
	return fmt.Errorf("the key %.40q cannot be read as %v", text, key.Type())
}

// decodeNothing is for types that nothing can be read as.
func decodeNothing(r *reader, v reflect.Value) error {
	t, err := r.next()
	if err != nil || t.kind == kindNil {
		return err
	}
	return errUnfit(t, v.Type())
}

func (b builder) sliceDecoder(t reflect.Type) decodeFunc {
	elem := b.plan(t.Elem())
	bytelike := t.Elem().Kind() == reflect.Uint8
	return func(r *reader, v reflect.Value) error {
		if r.isNil() {
			v.SetZero()
			return nil
		}
		if bytelike {
			if done, err := decodeBytes(r, v); done {
				return err
			}
		}
		head, err := r.head(kindArray, t)
		if err != nil {
			return err
		}
		if head.n == 0 {
			v.Set(reflect.MakeSlice(t, 0, 0)) // not nil
		} else {
			v.SetZero()
			v.Grow(min(head.n, firstRoom))
		}
		for i := range head.n {
			if i >= v.Cap() {
				v.Grow(1)
			}
			v.SetLen(i + 1)
			if err := elem.decode(r, v.Index(i)); err != nil {
				return within(err, step{name: "[" + strconv.Itoa(i) + "]"})
			}
		}
		r.leave()
		return nil
	}
}

// decodeBytes reads bytes or Base64, if that is what there is.
func decodeBytes(r *reader, v reflect.Value) (done bool, err error) {
	t, err := r.peek()
	switch {
	case err != nil:
		return true, err
	case t.kind == kindBytes:
		v.SetBytes(append([]byte{}, t.data...))
	case t.kind == kindString:
		b, err := t.base64Text()
		if err != nil {
			return true, err
		}
		v.SetBytes(b)
	default:
		return false, nil
	}
	_, err = r.next()
	return true, err
}

func (b builder) arrayDecoder(t reflect.Type) decodeFunc {
	elem := b.plan(t.Elem())
	bytelike := isBytes(t.Elem())
	return func(r *reader, v reflect.Value) error {
		if r.isNil() {
			return nil
		}
		head, err := r.next()
		switch {
		case err != nil:
			return err
		case bytelike && head.kind == kindBytes:
			v.SetZero()
			copy(v.Bytes(), head.data)
			return nil
		case head.kind != kindArray:
			return errUnfit(head, t)
		}
		if err := r.enter(); err != nil {
			return err
		}
		for i := range head.n {
			if i >= t.Len() {
				err = r.skip()
			} else {
				err = elem.decode(r, v.Index(i))
			}
			if err != nil {
				return within(err, step{name: "[" + strconv.Itoa(i) + "]"})
			}
		}
		for i := head.n; i < t.Len(); i++ {
			v.Index(i).SetZero()
		}
		r.leave()
		return nil
	}
}
