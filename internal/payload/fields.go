package payload

import (
	"reflect"
	"slices"
	"strings"
	"unicode"
)

// field is a field of a struct, of its own or of one that is embedded in it, that
// is written and read.
type field struct {
	name    string
	head    []byte // name as it is written
	index   []int  // the way to it
	tagged  bool   // its name is from a tag
	quoted  bool   // the option "string"
	omit    func(v reflect.Value) bool
	pointer bool // the way leads through an embedded pointer
	typ     reflect.Type
	encode  encodeFunc
	decode  decodeFunc
}

// embedded is a struct whose fields are those of the one that it is embedded in.
type embedded struct {
	typ     reflect.Type
	index   []int
	pointer bool
	twice   bool // at this depth, so that its fields hide each other
}

// fieldsOf returns the fields of a struct that encoding/json would choose: those
// of embedded structs too, as Go promotes them, but a tag wins against none at the
// same depth.
func fieldsOf(t reflect.Type) []field {
	var chosen []field
	visited, known := map[reflect.Type]bool{}, map[string]bool{}
	for level := []embedded{{typ: t}}; len(level) > 0; {
		var found []field
		var next []embedded
		for _, s := range level {
			visited[s.typ] = true
		}
		for _, s := range level {
			own, inner := s.split()
			found = append(found, own...)
			for _, in := range inner {
				if !visited[in.typ] {
					next = addEmbedded(next, in)
				}
			}
		}
		chosen = append(chosen, dominant(found, known)...)
		level = next
	}
	slices.SortFunc(chosen, func(a, b field) int { return slices.Compare(a.index, b.index) })
	return chosen
}

// split returns the fields of s that are to be written, twice if s is there twice,
// and the structs that are embedded in it.
func (s embedded) split() (own []field, inner []embedded) {
	for i := range s.typ.NumField() {
		f, in := s.field(i)
		switch {
		case in.typ != nil:
			inner = append(inner, in)
		case f.name != "" && s.twice:
			own = append(own, f, f)
		case f.name != "":
			own = append(own, f)
		}
	}
	return own, inner
}

func addEmbedded(all []embedded, s embedded) []embedded {
	for i := range all {
		if all[i].typ == s.typ {
			all[i].twice = true
			return all
		}
	}
	return append(all, s)
}

// field looks at a field of s: it is one to be written, if it gets a name, or an
// embedded struct, or neither.
func (s embedded) field(i int) (f field, inner embedded) {
	sf := s.typ.Field(i)
	target := sf.Type
	if target.Name() == "" && target.Kind() == reflect.Pointer {
		target = target.Elem()
	}
	tag := sf.Tag.Get("json")
	if tag == "-" || !sf.IsExported() && (!sf.Anonymous || target.Kind() != reflect.Struct) {
		return f, inner
	}
	name, options, _ := strings.Cut(tag, ",")
	if !validName(name) {
		name = ""
	}
	index := append(slices.Clone(s.index), i)
	if name == "" && sf.Anonymous && target.Kind() == reflect.Struct {
		return f, embedded{typ: target, index: index, pointer: s.pointer || target != sf.Type}
	}
	f = field{name: name, index: index, tagged: name != "", pointer: s.pointer, typ: sf.Type}
	if name == "" {
		f.name = sf.Name
	}
	f.head = appendString(nil, f.name)
	f.setOptions(options, target.Kind())
	return f, inner
}

// setOptions reads the options of a tag. k is the kind of the field's type, or of
// what it points to.
func (f *field) setOptions(options string, k reflect.Kind) {
	for option := range strings.SplitSeq(options, ",") {
		switch option {
		case "omitempty":
			f.omit = either(f.omit, isEmpty)
		case "omitzero":
			f.omit = either(f.omit, isZero(f.typ))
		case "string":
			f.quoted = k >= reflect.Bool && k <= reflect.Float64 || k == reflect.String
		}
	}
}

// validName reports whether a name in a tag counts.
func validName(s string) bool {
	for _, c := range s {
		if !strings.ContainsRune("!#$%&()*+-./:;<=>?@[]^_{|}~ ", c) && !unicode.IsLetter(c) && !unicode.IsDigit(c) {
			return false
		}
	}
	return s != ""
}

// dominant returns those of the fields of one depth that are not hidden: neither
// by one nearer, whose name is known, nor by each other.
func dominant(found []field, known map[string]bool) (chosen []field) {
	type rivals struct{ all, tagged []field }
	byName := map[string]*rivals{}
	for _, f := range found {
		if known[f.name] {
			continue
		}
		r := byName[f.name]
		if r == nil {
			r = new(rivals)
			byName[f.name] = r
		}
		r.all = append(r.all, f)
		if f.tagged {
			r.tagged = append(r.tagged, f)
		}
	}
	for name, r := range byName {
		known[name] = true
		switch {
		case len(r.tagged) == 1:
			chosen = append(chosen, r.tagged[0])
		case len(r.all) == 1:
			chosen = append(chosen, r.all[0])
		}
	}
	return chosen
}

func either(a, b func(reflect.Value) bool) func(reflect.Value) bool {
	if a == nil {
		return b
	}
	return func(v reflect.Value) bool { return a(v) || b(v) }
}

// isEmpty is the rule of omitempty.
func isEmpty(v reflect.Value) bool {
	switch k := v.Kind(); {
	case k == reflect.Array || k == reflect.Map || k == reflect.Slice || k == reflect.String:
		return v.Len() == 0
	case k >= reflect.Bool && k <= reflect.Float64 || k == reflect.Interface || k == reflect.Pointer:
		return v.IsZero()
	}
	return false
}

// isZero returns the rule of omitzero for a type: its method IsZero, or whether
// the value is the zero value.
func isZero(t reflect.Type) func(reflect.Value) bool {
	switch {
	case t.Implements(isZeroerType):
		return func(v reflect.Value) bool {
			if v.Kind() == reflect.Interface && !v.IsNil() && v.Elem().Kind() == reflect.Pointer && v.Elem().IsNil() {
				return true
			}
			z, found, _ := method[isZeroer](v) //nolint:errcheck // the writer of the field finds the error again
			return !found || z.IsZero()
		}
	case reflect.PointerTo(t).Implements(isZeroerType):
		return func(v reflect.Value) bool {
			if !v.CanAddr() {
				boxed := reflect.New(t).Elem()
				boxed.Set(v)
				v = boxed
			}
			return v.Addr().Interface().(isZeroer).IsZero() //nolint:errcheck,forcetypeassert // see above
		}
	}
	return reflect.Value.IsZero
}

// structEncoder writes structs of one type.
type structEncoder struct {
	fields []field
	head   []byte // how many fields there are, if all are there always
}

func (b builder) structEncoder(t reflect.Type) encodeFunc {
	s := structEncoder{fields: fieldsOf(t)}
	fixed := true
	for i := range s.fields {
		f := &s.fields[i]
		if f.quoted {
			f.encode = b.encoder(f.typ, true, true)
		} else {
			p := b.plan(f.typ)
			f.encode = p.encode
			if f.encode == nil { // it is under way, because the type contains itself
				f.encode = func(e *encoder, v reflect.Value) error { return p.encode(e, v) }
			}
		}
		fixed = fixed && f.omit == nil && !f.pointer
	}
	if fixed {
		s.head = appendMapHeader(nil, len(s.fields))
	}
	return s.encode
}

func (s *structEncoder) encode(e *encoder, v reflect.Value) error {
	if err := e.enter(); err != nil {
		return err
	}
	head, room := len(e.b), s.head
	if room == nil {
		room = appendMapHeader(nil, len(s.fields)) // as large as it can be
	}
	e.b = append(e.b, room...)
	n := 0
	for i := range s.fields {
		f := &s.fields[i]
		fv, there := f.of(v)
		if !there || f.omit != nil && f.omit(fv) {
			continue
		}
		n++
		e.b = append(e.b, f.head...)
		if err := f.encode(e, fv); err != nil {
			return inField(err, f.name)
		}
	}
	if s.head == nil {
		if len(room) == 1 {
			e.b[head] = fixMap | byte(n)
		} else {
			e.b[head+1], e.b[head+2] = byte(n>>8), byte(n) // structs of more fields than that do not compile
		}
	}
	e.leave()
	return nil
}

// of returns the field in the struct v. It is not there if an embedded pointer on
// the way is nil.
func (f *field) of(v reflect.Value) (fv reflect.Value, there bool) {
	if len(f.index) == 1 {
		return v.Field(f.index[0]), true
	}
	for _, i := range f.index {
		if v.Kind() == reflect.Pointer {
			if v.IsNil() {
				return v, false
			}
			v = v.Elem()
		}
		v = v.Field(i)
	}
	return v, true
}
