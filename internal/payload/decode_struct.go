package payload

import (
	"encoding/json"
	"fmt"
	"reflect"
	"unicode"
	"unicode/utf8"
)

// structDecoder reads structs of one type.
type structDecoder struct {
	exact  map[string]*field
	folded map[string]*field
}

func (b builder) structDecoder(t reflect.Type) decodeFunc {
	fields := fieldsOf(t)
	s := structDecoder{make(map[string]*field, len(fields)), make(map[string]*field, len(fields))}
	for i := range fields {
		f := &fields[i]
		p := b.plan(f.typ)
		f.decode = p.decode
		if f.decode == nil { // it is under way, because the type contains itself
			f.decode = func(r *reader, v reflect.Value) error { return p.decode(r, v) }
		}
		if f.quoted {
			f.decode = quotedDecoder(f.decode, f.typ)
		}
		s.exact[f.name] = f
		if name := string(fold(nil, []byte(f.name))); s.folded[name] == nil {
			s.folded[name] = f
		}
	}
	return s.decode
}

func (s *structDecoder) decode(r *reader, v reflect.Value) error {
	if r.isNil() {
		return nil
	}
	head, err := r.head(kindMap, v.Type())
	if err != nil {
		return err
	}
	for range head.n {
		name, err := r.key()
		if err != nil {
			return err
		}
		f := s.exact[string(name)]
		if f == nil {
			var room [32]byte
			f = s.folded[string(fold(room[:0], name))]
		}
		if f == nil {
			err = r.skip()
		} else if fv, ferr := f.make(v); ferr != nil {
			err = ferr
		} else {
			err = f.decode(r, fv)
		}
		if err != nil {
			return within(err, step{name: "." + string(name[:min(len(name), maxPath)])})
		}
	}
	r.leave()
	return nil
}

// make returns the field in the struct v, and makes what embedded pointers on the
// way to it point to.
func (f *field) make(v reflect.Value) (reflect.Value, error) {
	for _, i := range f.index {
		if v.Kind() == reflect.Pointer {
			if v.IsNil() {
				if !v.CanSet() {
					return v, fmt.Errorf("the embedded pointer to %v is not exported", v.Type().Elem())
				}
				v.Set(reflect.New(v.Type().Elem()))
			}
			v = v.Elem()
		}
		v = v.Field(i)
	}
	return v, nil
}

// fold makes names equal that differ in case only.
func fold(b, name []byte) []byte {
	for len(name) > 0 {
		c, size := utf8.DecodeRune(name)
		name = name[size:]
		for {
			next := unicode.SimpleFold(c)
			if next <= c {
				c = next
				break
			}
			c = next
		}
		b = utf8.AppendRune(b, c)
	}
	return b
}

// quotedDecoder reads a string that holds the JSON of a scalar.
func quotedDecoder(inner decodeFunc, t reflect.Type) decodeFunc {
	if t == numberType || t == reflect.PointerTo(numberType) {
		return inner // which reads numbers from strings
	}
	return func(r *reader, v reflect.Value) error {
		head, err := r.peek()
		switch {
		case err != nil:
			return err
		case head.kind == kindNil:
			return inner(r, v)
		case head.kind != kindString:
			return fmt.Errorf("%v cannot be read as %v in a string", head.kind, t)
		case !json.Valid(head.data):
			return fmt.Errorf("%.40q cannot be read as %v", head.data, t)
		}
		var e encoder
		if err := e.json(head.data); err != nil {
			return err
		}
		if err := inner(&reader{b: e.b}, v); err != nil {
			return err
		}
		return r.skip()
	}
}
