package protocol_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol"
)

// counted counts how often it is encoded and decoded.
type counted struct {
	N                int `json:"n"`
	encoded, decoded *atomic.Int32
}

func (c *counted) EncodeMsgpack(e *msgpack.Encoder) error {
	c.encoded.Add(1)
	return e.EncodeMap(map[string]any{"n": c.N})
}

// decodings counts those of counting, per type: a decoder has nowhere else to
// count.
var decodings sync.Map

type counting[T any] struct{ N int }

func (c *counting[T]) DecodeMsgpack(d *msgpack.Decoder) error {
	n, _ := decodings.LoadOrStore(reflect.TypeFor[T](), new(atomic.Int32))
	n.(*atomic.Int32).Add(1)
	m, err := d.DecodeMap()
	if err == nil {
		c.N = int(m["n"].(int8))
	}
	return err
}

type (
	firstType  struct{}
	secondType struct{}
)

// TestDecision14_EncodedOnceDecodedOncePerType, by many goroutines at once.
func TestDecision14_EncodedOnceDecodedOncePerType(t *testing.T) {
	t.Parallel()
	var encoded atomic.Int32
	e := protocol.EventType[*counted]{Name: "x"}.New(&counted{N: 7, encoded: &encoded})
	first, second := protocol.EventType[counting[firstType]]{Name: "x"}, protocol.EventType[counting[secondType]]{Name: "x"}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				err := e.Seal()
				a, errA := first.Payload(e)
				b, errB := second.Payload(e)
				if err := errors.Join(err, errA, errB); err != nil || a.N != 7 || b.N != 7 {
					t.Errorf("got %v and %v, %v", a, b, err)
				}
				if e.Prepared() != nil || e.Type() != "x" {
					t.Error("the event changed its type")
				}
			}
		})
	}
	wg.Wait()
	for _, typ := range []reflect.Type{reflect.TypeFor[firstType](), reflect.TypeFor[secondType]()} {
		n, ok := decodings.Load(typ)
		if !ok || n.(*atomic.Int32).Load() != 1 || encoded.Load() != 1 {
			t.Errorf("%v: decoded %v times, encoded %d times, want once", typ, n, encoded.Load())
		}
	}
}

// TestDecision14_PayloadsAreShared: everybody gets the same value, which is why
// nobody may change it, and it is not the sender's.
func TestDecision14_PayloadsAreShared(t *testing.T) {
	t.Parallel()
	sent := map[string]int{"n": 1}
	e := said.New(sent)
	if err := e.Seal(); err != nil {
		t.Fatal(err)
	}
	sent["n"] = 2 // the sender may, after the send
	one, err1 := said.Payload(e)
	two, err2 := said.Payload(e)
	if err := errors.Join(err1, err2); err != nil || one["n"] != 1 {
		t.Errorf("got %v, %v", one, err)
	}
	if reflect.ValueOf(one).Pointer() != reflect.ValueOf(two).Pointer() {
		t.Error("the payload was decoded twice")
	}
}

// TestDecision14_OnlyWhatIsEncodedArrives, also within one process.
func TestDecision14_OnlyWhatIsEncodedArrives(t *testing.T) {
	t.Parallel()
	type line struct {
		Text   string `json:"text"`
		Plain  int
		Hidden int `json:"-"`
		own    int
	}
	typ := protocol.EventType[line]{Name: "x"}
	got, err := typ.Payload(typ.New(line{Text: "hi", Plain: 1, Hidden: 2, own: 3}))
	if want := (line{Text: "hi", Plain: 1}); err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	m, err := protocol.EventType[map[string]any]{Name: "x"}.Payload(typ.New(line{Text: "hi"}))
	if err != nil || len(m) != 2 || m["text"] != "hi" {
		t.Errorf("as a map: %v, %v", m, err)
	}
}

func TestEventPayloadsAreObjects(t *testing.T) {
	t.Parallel()
	var none *struct{ N int }
	var noMap map[string]int
	for _, test := range []struct {
		at      testkit.Line
		payload any
		fits    bool
	}{
		{testkit.Here(), struct{ N int }{1}, true},
		{testkit.Here(), &struct{ N int }{1}, true},
		{testkit.Here(), map[string]any{"a": 1}, true},
		{testkit.Here(), bigMap(15), true},
		{testkit.Here(), bigMap(16), true}, // map 16
		{testkit.Here(), bigMap(70000), true},
		{testkit.Here(), struct{}{}, true},
		{testkit.Here(), nil, false},
		{testkit.Here(), none, false},
		{testkit.Here(), noMap, false},
		{testkit.Here(), 1, false},
		{testkit.Here(), -1, false},
		{testkit.Here(), 1.5, false},
		{testkit.Here(), true, false},
		{testkit.Here(), "text", false},
		{testkit.Here(), []byte("bytes"), false},
		{testkit.Here(), []int{1, 2}, false},
		{testkit.Here(), [2]int{1, 2}, false},
		{testkit.Here(), time.Now(), false},
		{testkit.Here(), make(chan int), false}, // cannot be encoded at all
		{testkit.Here(), func() {}, false},
		{testkit.Here(), struct{ F func() }{func() {}}, false},
		{testkit.Here(), map[int]string{1: "a"}, false}, // Channels cannot read it
		{testkit.Here(), map[any]any{1: "a"}, false},
	} {
		e := protocol.EventType[any]{Name: "chat.message"}.New(test.payload)
		err := e.Seal()
		if fits := err == nil; fits != test.fits {
			t.Errorf("%s: Seal of a %T: %v", test.at, test.payload, err)
		}
		if err != nil && (!strings.Contains(err.Error(), "chat.message") || test.payload != nil && !strings.Contains(err.Error(), fmt.Sprintf("%T", test.payload))) {
			t.Errorf("%s: the error names neither event nor type: %v", test.at, err)
		}
		if again := e.Seal(); (again == nil) != (err == nil) {
			t.Errorf("%s: the second Seal says %v", test.at, again)
		}
		if _, perr := said.Payload(e); err != nil && !errors.Is(perr, protocol.ErrEventPayload) {
			t.Errorf("%s: Payload says %v", test.at, perr)
		}
	}
}

func bigMap(n int) map[string]any {
	m := make(map[string]any, n)
	for i := range n {
		m[fmt.Sprint(i)] = i
	}
	return m
}

func TestEventThatDoesNotFit(t *testing.T) {
	t.Parallel()
	e := said.New(map[string]int{"n": 1})
	_, err := protocol.EventType[struct {
		N []string `json:"n"`
	}]{Name: "said"}.Payload(e)
	if !errors.Is(err, protocol.ErrEventPayload) || !strings.Contains(err.Error(), "said") {
		t.Errorf("got %v", err)
	}
	if p, err := said.Payload(e); err != nil || p["n"] != 1 {
		t.Errorf("for those whom it fits it is %v, %v", p, err)
	}
}

func TestDecision17_SendTypeHoldsAReadyMessage(t *testing.T) {
	t.Parallel()
	type wireForm struct {
		Text  *string `json:"text"`
		Bytes []byte  `json:"bytes"`
	}
	for _, test := range []struct {
		at     testkit.Line
		m      protocol.Message
		fields []string
	}{
		{testkit.Here(), text("hi"), []string{"text"}},
		{testkit.Here(), text(""), []string{"text"}},
		{testkit.Here(), protocol.Message{}, []string{"text"}},
		{testkit.Here(), protocol.Binary([]byte{0, 255}), []string{"bytes"}},
		{testkit.Here(), protocol.Binary([]byte{}), []string{"bytes"}},
		{testkit.Here(), protocol.Binary(nil), []string{"bytes"}},
	} {
		data := append([]byte(nil), test.m.Data...)
		e := protocol.SendType.New(protocol.Message{Kind: test.m.Kind, Data: data})
		if err := e.Seal(); err != nil || e.Type() != "websocket.send" {
			t.Fatalf("%s: %v, type %q", test.at, err, e.Type())
		}
		scribble(data) // the sender's again
		p := e.Prepared()
		if p == nil || p != e.Prepared() || p.Message().Kind != test.m.Kind || p.Message().Text() != test.m.Text() {
			t.Fatalf("%s: prepared as %+v", test.at, p)
		}
		if m, err := protocol.SendType.Payload(e); err != nil || m.Kind != test.m.Kind || m.Text() != test.m.Text() {
			t.Errorf("%s: the payload is %v %q, %v", test.at, m.Kind, m.Data, err)
		}
		w, err := protocol.EventType[wireForm]{Name: "websocket.send"}.Payload(e)
		if err != nil || test.m.Kind == protocol.KindText && (w.Text == nil || *w.Text != test.m.Text()) || string(w.Bytes) != test.m.Text() && test.m.Kind == protocol.KindBinary {
			t.Errorf("%s: on the wire it is %+v, %v", test.at, w, err)
		}
		fields, err := protocol.EventType[map[string]any]{Name: "websocket.send"}.Payload(e)
		if err != nil || len(fields) != 1 {
			t.Errorf("%s: on the wire it has the fields %v, %v, want only %v", test.at, fields, err, test.fields)
		}
		for _, want := range test.fields {
			if _, ok := fields[want]; !ok {
				t.Errorf("%s: on the wire it has the fields %v, want %v", test.at, fields, test.fields)
			}
		}
	}
}

// TestDecision17_SendTypeFromElsewhere: a message event as Django sends it, or a
// program that writes its fields itself, is a message all the same, whichever
// question is asked first.
func TestDecision17_SendTypeFromElsewhere(t *testing.T) {
	t.Parallel()
	fields := protocol.EventType[map[string]any]{Name: "websocket.send"}
	for _, test := range []struct {
		at      testkit.Line
		payload map[string]any
		want    *protocol.Message // nil: it holds no message
	}{
		{testkit.Here(), map[string]any{"text": "hi"}, &protocol.Message{Data: []byte("hi")}},
		{testkit.Here(), map[string]any{"text": "hi", "close": 4001}, &protocol.Message{Data: []byte("hi")}},
		{testkit.Here(), map[string]any{"text": ""}, &protocol.Message{}},
		{testkit.Here(), map[string]any{"bytes": []byte("hi")}, &protocol.Message{Kind: protocol.KindBinary, Data: []byte("hi")}},
		{testkit.Here(), map[string]any{"text": nil, "bytes": []byte("hi")}, &protocol.Message{Kind: protocol.KindBinary, Data: []byte("hi")}},
		{testkit.Here(), map[string]any{"close": 4001}, nil},
		{testkit.Here(), map[string]any{"text": []int{1}}, nil},
	} {
		for _, preparedFirst := range []bool{true, false} {
			e := fields.New(test.payload)
			if err := e.Seal(); err != nil {
				t.Fatalf("%s: %v", test.at, err)
			}
			if preparedFirst {
				_ = e.Prepared()
			}
			m, err := protocol.SendType.Payload(e)
			p := e.Prepared()
			switch {
			case test.want == nil && (p != nil || !errors.Is(err, protocol.ErrEventPayload)):
				t.Errorf("%s: no message is prepared as %v, and read as %v %q, %v", test.at, p, m.Kind, m.Data, err)
			case test.want == nil:
			case p == nil || p.Message().Kind != test.want.Kind || p.Message().Text() != test.want.Text():
				t.Errorf("%s: prepared as %+v", test.at, p)
			case err != nil || m.Kind != test.want.Kind || m.Text() != test.want.Text():
				t.Errorf("%s: prepared first: %v: read as %v %q, %v, want %v %q", test.at, preparedFirst, m.Kind, m.Data, err, test.want.Kind, test.want.Data)
			}
			all, err := fields.Payload(e)
			if err != nil || len(all) != len(test.payload) {
				t.Errorf("%s: prepared first: %v: the fields are %v, %v, want %v", test.at, preparedFirst, all, err, test.payload)
			}
		}
	}
	if e := said.New(map[string]int{"text": 1}); e.Seal() != nil || e.Prepared() != nil {
		t.Error("an event of another type holds a message")
	}
	if protocol.SendType.New(text("x")).Prepared() != nil {
		t.Error("a message is ready before Seal") // nothing is: the sender may still change it
	}
}
