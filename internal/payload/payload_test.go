package payload

import (
	"encoding/hex"
	"encoding/json"
	"math"
	"math/big"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wye-go/wye/internal/testkit"
)

type (
	author struct {
		Name  string  `json:"name"`
		Posts []*post `json:"posts"`
	}
	post struct {
		Author *author          `json:"author"`
		Tags   map[string]any   `json:"tags,omitempty"`
		Next   *post            `json:"next,omitempty"`
		Links  map[string]*post `json:"links,omitempty"`
	}
	pointer  *pointer
	listener struct {
		On map[string][]func() `json:"on"`
	}
)

// chain is so many posts, each in the one before.
func chain(n int) *post {
	var p *post
	for range n {
		p = &post{Next: p}
	}
	return p
}

// lists is so many lists, each in the one before.
func lists(n int) any {
	var v any
	for range n {
		v = []any{v}
	}
	return v
}

// TestWhatCannotBeSent: the error names the way to it, and says what is wrong.
func TestWhatCannotBeSent(t *testing.T) {
	t.Parallel()
	a := &author{Name: "Ann"}
	p := &post{Author: a}
	a.Posts = []*post{{}, p}
	object := map[string]any{"n": 1}
	object["self"] = []any{object}
	list := []any{1, nil}
	list[1] = list
	var ring pointer
	ring = &ring
	tagged := &post{Tags: map[string]any{}}
	tagged.Tags["x y"] = map[string]any{"post": tagged}
	linked := &post{Links: map[string]*post{}}
	linked.Links["me"] = linked
	var self any
	self = &self
	for _, row := range []struct {
		at   testkit.Line
		v    any
		want string
	}{
		{testkit.Here(), *p, "author.posts[1]"},
		{testkit.Here(), *p, "author.posts[1].author: it is circular: this *payload.author contains itself"},
		{testkit.Here(), object, `["self"][0]: it is circular: this map[string]interface {} contains itself`},
		{testkit.Here(), list, "[1]: it is circular: this []interface {} contains itself"},
		{testkit.Here(), ring, "it is circular: this payload.pointer contains itself"},
		{testkit.Here(), tagged, `tags["x y"]["post"]: it is circular: this *payload.post contains itself`},
		{testkit.Here(), linked, `links["me"]: it is circular: this *payload.post contains itself`},
		{testkit.Here(), self, "it is circular: this *interface {} contains itself"},
		{testkit.Here(), chain(501), "next.next.next"},
		{testkit.Here(), chain(501), "...: nested more than 500 levels deep"},
		{testkit.Here(), lists(501), "[0][0][0]"},
		{testkit.Here(), odd{strings.Repeat("[", 501) + strings.Repeat("]", 501)}, "MarshalJSON of payload.odd: nested more than 500 levels deep"},
		{testkit.Here(), listener{map[string][]func(){"click": {nil}}}, `on["click"][0]: a func() cannot be sent`},
		{testkit.Here(), struct{ C chan int }{}, "C: a chan int cannot be sent"},
		{testkit.Here(), map[string]any{"z": []any{1i}}, `["z"][0]: a complex128 cannot be sent`},
		{testkit.Here(), struct{ M map[bool]int }{}, "M: a map[bool]int cannot be sent: its keys are no strings"},
		{testkit.Here(), map[any]any{1: 2}, "a map[interface {}]interface {} cannot be sent"},
		{testkit.Here(), struct{ N []json.Number }{[]json.Number{"1", " 2"}}, `N[1]: " 2" is not a number`},
		{testkit.Here(), struct{ N *big.Int }{new(big.Int).Lsh(big.NewInt(1), 63)}, ""},
		{testkit.Here(), struct{ N *big.Int }{new(big.Int).Add(new(big.Int).Lsh(big.NewInt(1), 64), big.NewInt(1))},
			"N: MarshalJSON of *big.Int: the number 18446744073709551617 has too many digits to be sent; send it as a string"},
		{testkit.Here(), struct{ T time.Time }{time.Date(20000, 1, 1, 0, 0, 0, 0, time.UTC)}, "T: "},
		{testkit.Here(), struct{ O odd }{odd{"nonsense"}}, `O: MarshalJSON of payload.odd: "nonsense" is not JSON`},
		{testkit.Here(), struct {
			F float64 `json:",string"`
		}{math.NaN()}, "F: NaN and infinity are no JSON"},
	} {
		_, err := Encode(row.v)
		if (err == nil) != (row.want == "") || err != nil && !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: %v, want %q", row.at, err, row.want)
		}
		if err != nil && len(err.Error()) > 400 {
			t.Errorf("%s: the error has %d bytes: %v", row.at, len(err.Error()), err)
		}
	}
}

// TestWhatIsSharedIsNotCircular, and what is as deep as it may be arrives.
func TestWhatIsSharedIsNotCircular(t *testing.T) {
	t.Parallel()
	a := &author{Name: "Ann"}
	list := []any{1.5}
	many := make([]*author, 5000)
	for i := range many {
		many[i] = a
	}
	for _, row := range []struct {
		at testkit.Line
		v  any
	}{
		{testkit.Here(), []*post{{Author: a}, {Author: a}}},
		{testkit.Here(), map[string]any{"a": list, "b": list, "c": []any{list, list}}},
		{testkit.Here(), many},
		{testkit.Here(), chain(500)},
		{testkit.Here(), lists(500)},
	} {
		b, err := Encode(row.v)
		if err != nil {
			t.Errorf("%s: %v", row.at, err)
			continue
		}
		got := reflect.New(reflect.TypeOf(row.v))
		if err := Decode(b, got.Interface()); err != nil || !reflect.DeepEqual(got.Elem().Interface(), row.v) {
			t.Errorf("%s: another value arrives, %v", row.at, err)
		}
	}
}

// TestWhatDoesNotFit: the error names the way to it.
func TestWhatDoesNotFit(t *testing.T) {
	t.Parallel()
	type target struct {
		N    int8           `json:"n"`
		U    uint16         `json:"u"`
		F    float32        `json:"f"`
		S    string         `json:"s"`
		B    []byte         `json:"b"`
		L    []bool         `json:"l"`
		M    map[int]string `json:"m"`
		P    *place         `json:"p"`
		T    time.Time      `json:"t"`
		Q    int            `json:"q,string"`
		E    error          `json:"e"`
		Name json.Number    `json:"name"`
		Fn   func()         `json:"fn"`
		Deep []map[string]*author
	}
	type object = map[string]any
	for _, row := range []struct {
		at   testkit.Line
		v    object
		want string // "": it fits
	}{
		{testkit.Here(), object{"n": 127, "u": 65535, "f": 1, "s": "x", "l": nil, "q": "5", "e": nil, "fn": nil, "p": "1/2"}, ""},
		{testkit.Here(), object{"N": 1.0, "S": nil, "unknown": []any{object{}}}, ""},
		{testkit.Here(), object{"b": "aGk="}, ""},
		{testkit.Here(), object{"b": []any{1, 255}}, ""},
		{testkit.Here(), object{"n": 128}, "n: the number 128 cannot be read as int8"},
		{testkit.Here(), object{"n": 1.5}, "n: the number 1.5 cannot be read as int8"},
		{testkit.Here(), object{"n": math.NaN()}, "n: NaN"},
		{testkit.Here(), object{"u": -1}, "u: the number -1 cannot be read as uint16"},
		{testkit.Here(), object{"u": 1e300}, "u: the number 1e+300 cannot be read as uint16"},
		{testkit.Here(), object{"f": 1e300}, "f: the number 1e+300 cannot be read as float32"},
		{testkit.Here(), object{"s": []byte("x")}, "s: bytes cannot be read as string"},
		{testkit.Here(), object{"s": 5}, "s: a number cannot be read as string"},
		{testkit.Here(), object{"b": "?"}, "b: illegal base64"},
		{testkit.Here(), object{"l": []any{true, "x"}}, "l[1]: a string cannot be read as bool"},
		{testkit.Here(), object{"l": object{}}, "l: an object cannot be read as []bool"},
		{testkit.Here(), object{"m": object{"x": "y"}}, `m: the key "x" cannot be read as int`},
		{testkit.Here(), object{"p": 5}, "p: a number cannot be read as payload.place"},
		{testkit.Here(), object{"t": "today"}, "t: parsing time"},
		{testkit.Here(), object{"q": 5}, "q: a number cannot be read as int in a string"},
		{testkit.Here(), object{"e": "x"}, "e: a string cannot be read as error"},
		{testkit.Here(), object{"name": "x"}, `name: "x" is not a number`},
		{testkit.Here(), object{"fn": 1}, "fn: a number cannot be read as func()"},
		{testkit.Here(), object{"Deep": []any{object{"a": object{"posts": []any{nil, object{"author": 1}}}}}}, `Deep[0]["a"].posts[1].author: a number cannot be read as payload.author`},
	} {
		b, err := Encode(row.v)
		if err != nil {
			t.Errorf("%s: %v", row.at, err)
			continue
		}
		err = Decode(b, new(target))
		if (err == nil) != (row.want == "") || err != nil && !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: %v, want %q", row.at, err, row.want)
		}
	}
}

// TestWhatAnyReceives, from Go and from Python alike.
func TestWhatAnyReceives(t *testing.T) {
	t.Parallel()
	type object = map[string]any
	for _, row := range []struct {
		at   testkit.Line
		wire string
		want any // nil with a text in fails
		fail string
	}{
		{testkit.Here(), "05", int64(5), ""},
		{testkit.Here(), "ff", int64(-1), ""},
		{testkit.Here(), "cc05", int64(5), ""},
		{testkit.Here(), "cd03e8", int64(1000), ""},
		{testkit.Here(), "ce80000000", int64(1 << 31), ""},
		{testkit.Here(), "cf7fffffffffffffff", int64(math.MaxInt64), ""},
		{testkit.Here(), "cf8000000000000000", uint64(1 << 63), ""},
		{testkit.Here(), "d0ff", int64(-1), ""},
		{testkit.Here(), "d18000", int64(math.MinInt16), ""},
		{testkit.Here(), "d280000000", int64(math.MinInt32), ""},
		{testkit.Here(), "d38000000000000000", int64(math.MinInt64), ""},
		{testkit.Here(), "ca3dcccccd", 0.1, ""}, // a float32
		{testkit.Here(), "ca7f800000", math.Inf(1), ""},
		{testkit.Here(), "cb3ff0000000000000", 1.0, ""},
		{testkit.Here(), "c0", nil, ""},
		{testkit.Here(), "c3", true, ""},
		{testkit.Here(), "a2ff61", "\ufffda", ""},
		{testkit.Here(), "c40161", []byte("a"), ""},
		{testkit.Here(), "9103", []any{int64(3)}, ""},
		{testkit.Here(), "8101a161", object{"1": "a"}, ""}, // {1: "a"}
		{testkit.Here(), "81ffc0", object{"-1": nil}, ""},
		{testkit.Here(), "81c4016b80", object{"k": object{}}, ""}, // {b"k": {}}
		{testkit.Here(), "81cb3ff0000000000000c0", nil, "a number cannot be the key of an object"},
		{testkit.Here(), "81c0c0", nil, "null cannot be the key"},
		{testkit.Here(), "81a16181a162c1", nil, `["a"]["b"]: the payload has a value of a kind that cannot be read`},
		{testkit.Here(), "81a174d6ff00000000", nil, `["t"]: the payload has a value of a kind`}, // a msgpack.Timestamp
		{testkit.Here(), "9205", nil, "ends in the middle"},
		{testkit.Here(), "0505", nil, "something follows"},
		{testkit.Here(), "", nil, "ends in the middle"},
	} {
		b, err := hex.DecodeString(row.wire)
		if err != nil {
			t.Fatal(err)
		}
		var got any
		err = Decode(b, &got)
		if (err == nil) != (row.fail == "") || err != nil && !strings.Contains(err.Error(), row.fail) || err == nil && !reflect.DeepEqual(got, row.want) {
			t.Errorf("%s: %T %v, %v; want %T %v, %q", row.at, got, got, err, row.want, row.want, row.fail)
		}
	}
}

// TestWhatOthersRead: a map whose values a program in Python knows.
func TestWhatOthersRead(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		at   testkit.Line
		v    any
		want string
	}{
		{testkit.Here(), map[int]string{1: "a"}, "81a131a161"},
		{testkit.Here(), map[string]any{"m": map[int]string{1: "a"}}, "81a16d81a131a161"},
		{testkit.Here(), struct{ T time.Time }{time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}, "81a154b4" + hex.EncodeToString([]byte("2026-01-02T03:04:05Z"))},
		{testkit.Here(), struct{ H hash }{hash{1, 2, 3, 4}}, "81a148c40401020304"},
		{testkit.Here(), struct{ M money }{money{150}}, "81a14d82a6616d6f756e74a4312e3530a863757272656e6379a3455552"},
		{testkit.Here(), struct{ S set }{set{"x": {}}}, "81a15391a178"},
		{testkit.Here(), struct{ O optional[string] }{}, "81a14fc0"},
		{testkit.Here(), struct{ F float32 }{0.5}, "81a146ca3f000000"},
		{testkit.Here(), struct{ S string }{"a\xff"}, "81a153a461efbfbd"},
		{testkit.Here(), map[place]int{{1, 2}: 3}, "81a3312f3203"},
	} {
		b, err := Encode(row.v)
		if got := hex.EncodeToString(b); err != nil || got != row.want {
			t.Errorf("%s: %s, %v, want %s", row.at, got, err, row.want)
		}
	}
}

// TestLengthsAreNotBelieved: what says that it is large must be there. It counts
// what the process allocates, so it does not run beside others.
func TestLengthsAreNotBelieved(t *testing.T) {
	// A list of half a million, which has another in its first element, and so on:
	// by what is left, each could be as long as it says.
	liar := make([]byte, 0, 1<<20)
	for range maxDepth {
		liar = appendArrayHeader(liar, 1<<19)
	}
	short := append([]byte{}, liar...)
	for len(short) < 1<<19+5*maxDepth {
		short = append(short, 0xc1) // a value of no kind
	}
	long := slices.Concat(liar, make([]byte, 1<<19))
	for _, row := range []struct {
		at   testkit.Line
		b    []byte
		into any
		most uint64 // bytes per byte that was read
	}{
		{testkit.Here(), short, new(any), 4},
		{testkit.Here(), short, new([]any), 4},
		{testkit.Here(), short, new([][][][]int), 4},
		{testkit.Here(), short, new([]struct{ A [100]int }), 4},
		{testkit.Here(), short, new(json.RawMessage), 16},
		{testkit.Here(), long, new(any), 128},
		{testkit.Here(), []byte{0xdf, 0xff, 0xff, 0xff, 0xff}, new(any), 100},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err := Decode(row.b, row.into)
		runtime.ReadMemStats(&after)
		if got := (after.TotalAlloc - before.TotalAlloc) / uint64(len(row.b)); err == nil || got > row.most {
			t.Errorf("%s: %d bytes were allocated per byte, want %d at the most; %v", row.at, got, row.most, err)
		}
	}
}
