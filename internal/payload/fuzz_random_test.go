package payload

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"time"
)

// dice make types and values of bytes. When those are used up, it is all zeros,
// and what is made is small.
type dice struct {
	b     []byte
	depth int
}

func (d *dice) byte() byte {
	if len(d.b) == 0 {
		return 0
	}
	c := d.b[0]
	d.b = d.b[1:]
	return c
}

func (d *dice) n(n int) int { return int(d.byte()) % n }

func (d *dice) uint64() uint64 {
	var b [8]byte
	size := d.n(9)
	for i := range size {
		b[7-i] = d.byte()
	}
	return binary.BigEndian.Uint64(b[:])
}

// leaves are the types that others are made of.
func leaves() []reflect.Type {
	return []reflect.Type{
		reflect.TypeFor[int](), reflect.TypeFor[string](), reflect.TypeFor[any](), reflect.TypeFor[bool](),
		reflect.TypeFor[int8](), reflect.TypeFor[int16](), reflect.TypeFor[int32](), reflect.TypeFor[int64](),
		reflect.TypeFor[uint](), reflect.TypeFor[uint8](), reflect.TypeFor[uint16](), reflect.TypeFor[uint32](),
		reflect.TypeFor[uint64](), reflect.TypeFor[uintptr](), reflect.TypeFor[float32](), reflect.TypeFor[float64](),
		reflect.TypeFor[[]byte](), reflect.TypeFor[hash](), reflect.TypeFor[time.Time](), reflect.TypeFor[wrapped](),
		reflect.TypeFor[json.Number](), reflect.TypeFor[json.RawMessage](), reflect.TypeFor[time.Duration](),
		reflect.TypeFor[money](), reflect.TypeFor[balance](), reflect.TypeFor[set](), reflect.TypeFor[place](),
		reflect.TypeFor[grade](), reflect.TypeFor[code](), reflect.TypeFor[flags](), reflect.TypeFor[flag](),
		reflect.TypeFor[optional[string]](), reflect.TypeFor[optional[[]money]](), reflect.TypeFor[odd](), reflect.TypeFor[period](),
		reflect.TypeFor[Base](), reflect.TypeFor[Deep](), reflect.TypeFor[inner](),
		reflect.TypeFor[func()](), reflect.TypeFor[chan int](), reflect.TypeFor[complex64](), reflect.TypeFor[error](),
	}
}

func (d *dice) typ() reflect.Type {
	d.depth++
	defer func() { d.depth-- }()
	all := leaves()
	if d.depth > 5 {
		return all[d.n(len(all))]
	}
	switch d.n(12) {
	case 1, 2:
		return reflect.SliceOf(d.typ())
	case 3:
		return reflect.ArrayOf(d.n(4), d.typ())
	case 4, 5:
		keys := []reflect.Type{all[1], all[1], all[0], all[4], all[12], all[22], all[26], all[27], all[28], all[3], reflect.PointerTo(all[26])}
		return reflect.MapOf(keys[d.n(len(keys))], d.typ())
	case 6:
		return reflect.PointerTo(d.typ())
	case 7, 8, 9:
		return d.structType()
	default:
		return all[d.n(len(all))]
	}
}

func (d *dice) structType() reflect.Type {
	names := []string{"A", "B", "C", "Name", "ID", "Ä"}
	tags := []string{
		"", `json:"a"`, `json:"b,omitempty"`, `json:",omitzero"`, `json:"id,string"`, `json:",string,omitempty"`,
		`json:"-"`, `json:"-,"`, `json:"NAME"`, `json:"<&>"`, `json:"bad\"name"`, `json:"c,omitempty,omitzero"`, `json:"a b"`,
	}
	embedded := []reflect.Type{
		reflect.TypeFor[Base](), reflect.TypeFor[Deep](), reflect.TypeFor[Side](), reflect.TypeFor[Other](),
	}
	var fields []reflect.StructField
	for _, name := range names[:d.n(len(names)+1)] {
		fields = append(fields, reflect.StructField{Name: name, Type: d.typ(), Tag: reflect.StructTag(tags[d.n(len(tags))])})
	}
	if d.n(3) == 1 { // what is embedded has no methods, which reflect does not know how to promote
		for range d.n(3) {
			i := d.n(len(embedded))
			f := reflect.StructField{Name: embedded[i].Name(), Type: embedded[i], Anonymous: true}
			if d.n(2) == 1 {
				f.Type = reflect.PointerTo(f.Type)
			}
			fields = append(fields, f)
			embedded = append(embedded[:i:i], embedded[i+1:]...)
		}
	}
	return reflect.StructOf(fields)
}

// fill gives v a value.
func (d *dice) fill(v reflect.Value) {
	d.depth++
	defer func() { d.depth-- }()
	if d.special(v) || d.scalar(v) {
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		if d.depth < 8 && d.n(4) > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			d.fill(v.Elem())
		}
	case reflect.Slice, reflect.Array:
		d.fillList(v)
	case reflect.Map:
		d.fillMap(v)
	case reflect.Struct:
		for _, fv := range v.Fields() {
			if fv.CanSet() {
				d.fill(fv)
			}
		}
	case reflect.Interface:
		if v.NumMethod() == 0 && d.depth < 8 {
			d.fillAny(v)
		}
	default: // what nothing can carry
	}
}

func (d *dice) fillList(v reflect.Value) {
	if n := d.n(5); v.Kind() == reflect.Slice && n > 0 && d.depth < 8 {
		v.Set(reflect.MakeSlice(v.Type(), n-1, n))
	}
	for i := range v.Len() {
		d.fill(v.Index(i))
	}
}

func (d *dice) scalar(v reflect.Value) bool {
	switch {
	case v.Kind() == reflect.Bool:
		v.SetBool(d.n(2) == 1)
	case v.Kind() == reflect.String:
		v.SetString(d.text())
	case v.Kind() == reflect.Float32:
		f := float64(float32(d.float()))
		if math.IsInf(f, 0) {
			f = 0.1
		}
		v.SetFloat(f)
	case v.Kind() == reflect.Float64:
		v.SetFloat(d.float())
	case v.CanInt():
		v.SetInt(int64(d.uint64()))
	case v.CanUint():
		v.SetUint(d.uint64())
	default:
		return false
	}
	return true
}

func (d *dice) fillMap(v reflect.Value) {
	n := d.n(5)
	if n == 0 || d.depth >= 8 {
		return
	}
	v.Set(reflect.MakeMap(v.Type()))
	for range n - 1 {
		key, elem := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		d.fill(key)
		if key.Kind() == reflect.String { // two that become one have no order
			key.SetString(fmt.Sprint(len(d.b)) + string([]rune(key.String())))
		}
		d.fill(elem)
		v.SetMapIndex(key, elem)
	}
}

func (d *dice) fillAny(v reflect.Value) {
	switch d.n(6) {
	case 0:
	case 1:
		v.Set(reflect.ValueOf(map[string]any{"x": 1, "y": []any{nil, "z", 1.5}}))
	case 2:
		v.Set(reflect.ValueOf(map[int]string{int(d.byte()): "a", -1: "b"}))
	default:
		inside := reflect.New(d.typ())
		d.fill(inside.Elem())
		v.Set(inside.Elem())
	}
}

// special fills the types that have something to hide.
func (d *dice) special(v reflect.Value) bool {
	switch p := v.Addr().Interface().(type) {
	case *time.Time:
		zone := time.FixedZone("", (d.n(48)-24)*900)
		*p = time.Unix(int64(d.uint64()%(1<<33)), int64(d.byte())*1001).In(zone)
		if d.n(40) == 1 {
			*p = p.AddDate(20000, 0, 0) // which no JSON can be
		}
	case *json.Number:
		*p = json.Number([]string{"", "0", "-1.5", "1e3", "18446744073709551615", "2.50", "-9223372036854775808", "-0", "x", "1e999", "123456789012345678901234567890"}[d.n(11)])
	case *json.RawMessage:
		*p = json.RawMessage([]string{
			"", "null", `{"a": [1, 2.5, {"b": null}], "c": "\u00e9\ud83d\ude00\n"}`, "[]", "{}", `"x"`, "-1e-9", "true", "[1,", `[[[[ ]]]]`, `{"": ""}`,
			`[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,{"\"":false}]`,
		}[d.n(12)])
	case *odd:
		p.json = []string{"null", `"x"`, `{"x": 1}`, ``, `nul`, "1 ", "[] []", `"\x"`}[d.n(8)]
	case *money:
		p.cents = int64(d.uint64() >> 1)
	case *balance:
		p.cents = int64(d.uint64())
	case *set:
		if d.n(3) > 0 {
			*p = set{d.text(): {}, "b": {}}
		}
	case *place:
		p.row, p.seat = int(d.byte()), int(d.byte())
	case *optional[string]:
		p.set, p.value = d.n(2) == 1, "x"
	case *inner:
		p.Inside, p.hidden = d.text(), 7
	default:
		return false
	}
	return true
}

func (d *dice) text() string {
	return []string{"", "a", "é 𝄞", "\x00\"\\<&>\u2028", "bad \xff\xc3 text", "two\nlines", "0123456789012345678901234567890123456789"}[d.n(7)]
}

func (d *dice) float() float64 {
	switch d.n(4) {
	case 0:
		return float64(int8(d.byte()))
	case 1:
		return float64(d.n(100)) / 10
	case 2:
		return []float64{1e21, 1e-7, math.MaxFloat32, math.SmallestNonzeroFloat64, -1e300, math.Copysign(0, -1), 123456789e10}[d.n(7)]
	}
	f := math.Float64frombits(d.uint64())
	if math.IsNaN(f) || math.IsInf(f, 0) || math.IsInf(float64(float32(f)), 0) {
		return 1
	}
	return f
}
