package protocol

import (
	"encoding/hex"
	"errors"
	"reflect"
	"testing"

	"github.com/wye-go/wye/internal/payload"
	"github.com/wye-go/wye/internal/testkit"
)

// nested is a payload with its fields in the order of the golden vectors, which
// Python's msgpack has written.
type nested struct {
	A bool `json:"a"`
	B any  `json:"b"`
	C any  `json:"c"`
}

type allKinds struct {
	Type  string         `json:"type"`
	N     any            `json:"n"`
	T     bool           `json:"t"`
	I     int            `json:"i"`
	U     uint16         `json:"u"`
	Big   int64          `json:"big"`
	F     float64        `json:"f"`
	S     string         `json:"s"`
	B     []byte         `json:"b"`
	L     []any          `json:"l"`
	D     map[string]any `json:"d"`
	E     string         `json:"e"`
	EB    []byte         `json:"eb"`
	inner int            // is not sent
	Func  func()         `json:"-"`
}

const (
	goldenNested = "83a161c3a162c0a16381a16490"
	goldenKinds  = "8da474797065ac636861742e6d657373616765a16ec0a174c3a169ffa175cd012ca3626967cf0000010000000000" +
		"a166cb3ff8000000000000a173a2c3a9a162c40200ffa16c9201920203a16481a16ba176a165a0a26562c400"
)

func kinds() allKinds {
	return allKinds{
		Type: "chat.message", T: true, I: -1, U: 300, Big: 1 << 40, F: 1.5, S: "é", B: []byte{0, 255},
		L: []any{1, []any{2, 3}}, D: map[string]any{"k": "v"}, EB: []byte{}, inner: 7,
	}
}

// TestGoldenVectors: what Django's channel layers write, we write, and the other
// way round.
func TestGoldenVectors(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		at      testkit.Line
		payload any
		want    string
	}{
		{testkit.Here(), nested{A: true, C: map[string]any{"d": []any{}}}, goldenNested},
		{testkit.Here(), &nested{A: true, C: map[string]any{"d": []any{}}}, goldenNested},
		{testkit.Here(), kinds(), goldenKinds},
		{testkit.Here(), map[string]any{}, "80"},
		{testkit.Here(), map[string]any{"a": true}, "81a161c3"},
		{testkit.Here(), map[string]any{"c": map[string]any{"d": []any{}}}, "81a16381a16490"},
		{testkit.Here(), map[string]int{"u": 300}, "81a175cd012c"},
		{testkit.Here(), map[string]string{"type": "chat.message"}, "81a474797065ac636861742e6d657373616765"},
		{testkit.Here(), struct{}{}, "80"},
	} {
		e := EventType[any]{Name: "x"}.New(test.payload)
		if err := e.seal(); err != nil {
			t.Errorf("%s: %v", test.at, err)
		}
		if got := hex.EncodeToString(e.body); got != test.want {
			t.Errorf("%s:\ngot  %s\nwant %s", test.at, got, test.want)
		}
	}
}

// TestGoldenMap: a map's keys have no order, so the vector is met in some order.
func TestGoldenMap(t *testing.T) {
	t.Parallel()
	payload := map[string]any{"a": true, "b": nil, "c": map[string]any{"d": []any{}}}
	e := EventType[map[string]any]{Name: "x"}.New(payload)
	if err := e.seal(); err != nil {
		t.Fatal(err)
	}
	const a, b, c = "a161c3", "a162c0", "a16381a16490"
	switch got := hex.EncodeToString(e.body); got {
	case "83" + a + b + c, "83" + a + c + b, "83" + b + a + c, "83" + b + c + a, "83" + c + a + b, "83" + c + b + a:
	default:
		t.Errorf("encoded as %s, want %s in some order", got, goldenNested)
	}
}

func TestGoldenVectorsAreRead(t *testing.T) {
	t.Parallel()
	var got map[string]any
	want := map[string]any{"a": true, "b": nil, "c": map[string]any{"d": []any{}}}
	if err := payload.Decode(unhex(t, goldenNested), &got); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("decoded to %v, %v, want %v", got, err, want)
	}
	var back allKinds
	all := kinds()
	all.inner = 0
	all.L = []any{int64(1), []any{int64(2), int64(3)}}
	if err := payload.Decode(unhex(t, goldenKinds), &back); err != nil || !reflect.DeepEqual(back, all) {
		t.Errorf("decoded to %+v, %v, want %+v", back, err, all)
	}
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestIsMap(t *testing.T) {
	t.Parallel()
	for first := range 256 {
		want := first >= 0x80 && first <= 0x8f || first == 0xde || first == 0xdf // fixmap, map 16, map 32
		if got := isMap([]byte{byte(first), 0}); got != want {
			t.Errorf("%#x: %v, want %v", first, got, want)
		}
	}
	if isMap(nil) {
		t.Error("nothing is a map")
	}
}

// explosive panics when it is encoded or decoded.
type explosive struct{ Encode bool }

func (e *explosive) MarshalJSON() ([]byte, error) {
	if e.Encode {
		panic("boom")
	}
	return []byte(`{"encode": false}`), nil
}

func (e *explosive) UnmarshalJSON([]byte) error { panic("boom") }

// TestPromise4_PayloadThatPanics: whoever comes second finds an error, and no
// zero value that looks like a payload.
func TestPromise4_PayloadThatPanics(t *testing.T) {
	t.Parallel()
	panics := func(f func()) (panicked bool) {
		defer func() { panicked = recover() != nil }()
		f()
		return false
	}
	typ := EventType[*explosive]{Name: "x"}
	e := typ.New(&explosive{Encode: true})
	if !panics(func() { _ = e.seal() }) || e.seal() == nil {
		t.Error("a payload whose encoding has panicked counts as encoded")
	}
	e = typ.New(&explosive{})
	if err := e.seal(); err != nil {
		t.Fatal(err)
	}
	if !panics(func() { _, _ = typ.Payload(e) }) {
		t.Error("the panic of a decoder did not get through")
	}
	if _, err := typ.Payload(e); !errors.Is(err, ErrEventPayload) {
		t.Errorf("the second one was told %v", err)
	}
}
