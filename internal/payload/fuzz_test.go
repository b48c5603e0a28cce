package payload

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/wye-go/wye/internal/testkit"
)

// likeJSON makes a type and a value, sends it, and fails if another value arrives
// than through encoding/json. It returns whether it was carried.
func likeJSON(t *testing.T, seed []byte) bool {
	t.Helper()
	d := &dice{b: seed}
	typ := d.structType()
	sent := reflect.New(typ).Elem()
	d.fill(sent)
	v := sent.Interface()
	text, wantErr := json.Marshal(v)
	wire, err := Encode(v)
	if err != nil && strings.Contains(err.Error(), "send it as a string") {
		return false // a number that MessagePack has not
	}
	if (err == nil) != (wantErr == nil) {
		t.Fatalf("%v\nof type %v: Encode says %v, json.Marshal %v", v, typ, err, wantErr)
	}
	if err != nil {
		return false
	}
	want, got := reflect.New(typ), reflect.New(typ)
	wantErr = json.Unmarshal(text, want.Interface())
	err = Decode(wire, got.Interface())
	if (err == nil) != (wantErr == nil) {
		t.Fatalf("%+v\nof type %v, in JSON %s: Decode says %v, json.Unmarshal %v", v, typ, text, err, wantErr)
	}
	if err != nil {
		return false
	}
	if way := differ(want.Elem(), got.Elem()); way != "" {
		t.Fatalf("%+v\nof type %v\narrives as %+v\nwant       %+v,\nwhich differs at %s", v, typ, got.Elem(), want.Elem(), way)
	}
	return true
}

// TestLikeJSON tries random values of random types.
func TestLikeJSON(t *testing.T) {
	t.Parallel()
	first, last := testkit.Seeds(t, 1000)
	carried := 0
	for seed := first; seed <= last; seed++ {
		r := rand.New(rand.NewPCG(seed, 0))
		b := make([]byte, 40+r.IntN(300))
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		if likeJSON(t, b) {
			carried++
		}
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	if n := int(last - first); n > 100 && carried < n/10 {
		t.Errorf("only %d of %d values were carried", carried, n)
	}
	t.Logf("%d values were carried", carried)
}

func FuzzLikeJSON(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("\x06\x07\x03\x0a\x16\x01\x02\x0b\x17\x03 some more"))
	for i := range leaves() { // a field of each type
		f.Add(slices.Concat([]byte{1, 0, byte(i), 0, 0}, []byte("\x03\x02\x05\x01\x07\x04\x06\x01\x02\x03")))
	}
	f.Fuzz(func(t *testing.T, seed []byte) { likeJSON(t, seed) })
}

// targets are the types that bytes of others are read as.
func targets() []any {
	type node struct {
		Next  *node
		All   []node
		Map   map[place]*node
		N     int8 `json:",string"`
		Any   any
		Money optional[money]
		Raw   json.RawMessage
		Bytes []byte
		Hash  hash
		F     float32
		Num   json.Number
	}
	return []any{new(any), new(map[string]any), new(node), new(map[int]uint16), new(Deep), new([][]string), new(odd), new(wrapped), new(map[string][1000]int64)}
}

// FuzzDecode reads anything as anything, and what was read survives another trip.
func FuzzDecode(f *testing.F) {
	for _, v := range []any{
		map[string]any{"Next": nil, "All": []any{}, "N": "5", "Any": map[int]any{1: []byte{1}}, "Raw": 1.5, "F": float32(0.1)},
		Deep{Side: &Side{}}, map[string]any{"id": -1, "Bytes": "aGk=", "Hash": []int{1, 2}}, [][]string{{"a"}, nil},
		map[uint64]int{1 << 63: 1 << 15, 1: -1 << 40},
	} {
		b, err := Encode(v)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte{0xdf, 0xff, 0xff, 0xff, 0xff, 0xa0})                    // a map of 4 billion
	f.Add([]byte{0xdd, 0xff, 0xff, 0xff, 0xff, 0xc0})                    // a list of them
	f.Add([]byte{0xc6, 0xff, 0xff, 0xff, 0xff})                          // bytes
	f.Add([]byte{0xc7, 8, 1, 2})                                         // an extension
	f.Add(slices.Concat(slices.Repeat([]byte{0x91}, 600), []byte{0xc0})) // deep
	f.Add([]byte{0x82, 0x01, 0xa1, 'a', 0xc4, 0x01, 'k', 0xcb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, into := range targets() {
			if Decode(b, into) != nil {
				continue
			}
			again, err := Encode(reflect.ValueOf(into).Elem().Interface())
			if err != nil {
				continue // NaN in a float that a MarshalJSON writes, and the like
			}
			var x, y any
			if Decode(b, &x) == nil && reflect.TypeOf(into) == reflect.TypeFor[*any]() {
				if err := Decode(again, &y); err != nil || differAny(x, y) != "" && fmt.Sprint(x) != fmt.Sprint(y) {
					t.Errorf("%v arrives as %v, %v", x, y, err)
				}
			}
		}
	})
}
