package protocol_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wye-go/wye/internal/events"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol"
)

// counted counts how often it is encoded.
type counted struct{ encoded *atomic.Int32 }

func (c counted) MarshalJSON() ([]byte, error) {
	c.encoded.Add(1)
	return []byte(`{"n": 7}`), nil
}

// decodings counts those of a decoder, which has nowhere else to count.
type decodings interface{ counter() *atomic.Int32 }

//nolint:gochecknoglobals // see decodings
var firstCount, secondCount atomic.Int32

type (
	firstType  struct{}
	secondType struct{}
)

func (firstType) counter() *atomic.Int32  { return &firstCount }
func (secondType) counter() *atomic.Int32 { return &secondCount }

type counting[D decodings] struct{ N int8 }

func (c *counting[D]) UnmarshalJSON(data []byte) error {
	(*new(D)).counter().Add(1)
	var m map[string]int8
	err := json.Unmarshal(data, &m)
	c.N = m["n"]
	return err
}

// TestDecision14_EncodedOnceDecodedOncePerType, by many goroutines at once.
func TestDecision14_EncodedOnceDecodedOncePerType(t *testing.T) {
	t.Parallel()
	var encoded atomic.Int32
	firstCount.Store(0) // the test may run more often than once
	secondCount.Store(0)
	e := protocol.EventType[counted]{Name: "x"}.New(counted{&encoded})
	first, second := protocol.EventType[counting[firstType]]{Name: "x"}, protocol.EventType[counting[secondType]]{Name: "x"}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				err := events.Seal(e)
				a, errA := first.Payload(e)
				b, errB := second.Payload(e)
				if err := errors.Join(err, errA, errB); err != nil || a.N != 7 || b.N != 7 || e.Prepared() != nil || e.Type() != "x" {
					t.Errorf("got %v and %v of type %s, %v", a, b, e.Type(), err)
				}
			}
		})
	}
	wg.Wait()
	if encoded.Load() != 1 || firstCount.Load() != 1 || secondCount.Load() != 1 {
		t.Errorf("encoded %d times, decoded %d and %d times, want once", encoded.Load(), firstCount.Load(), secondCount.Load())
	}
}

// TestDecision14_PayloadsAreShared: everybody gets the same value, which is why
// nobody may change it, and it is not the sender's.
func TestDecision14_PayloadsAreShared(t *testing.T) {
	t.Parallel()
	sent := map[string]int{"n": 1}
	e := said.New(sent)
	if err := events.Seal(e); err != nil {
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
		{testkit.Here(), map[int]string{1: "a"}, true}, // as {"1": "a"}
		{testkit.Here(), map[any]any{1: "a"}, false},
	} {
		e := protocol.EventType[any]{Name: "chat.message"}.New(test.payload)
		err := events.Seal(e)
		if fits := err == nil; fits != test.fits {
			t.Errorf("%s: Seal of a %T: %v", test.at, test.payload, err)
		}
		if err != nil && (!strings.Contains(err.Error(), "chat.message") || test.payload != nil && !strings.Contains(err.Error(), fmt.Sprintf("%T", test.payload))) {
			t.Errorf("%s: the error names neither event nor type: %v", test.at, err)
		}
		if again := events.Seal(e); (again == nil) != (err == nil) {
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
	for _, test := range []struct {
		at    testkit.Line
		m     protocol.Message
		field string
		value any
	}{
		{testkit.Here(), text("hi"), "text", "hi"},
		{testkit.Here(), text(""), "text", ""},
		{testkit.Here(), protocol.Message{}, "text", ""},
		{testkit.Here(), protocol.Binary([]byte{0, 255}), "bytes", []byte{0, 255}},
		{testkit.Here(), protocol.Binary([]byte{}), "bytes", []byte{}},
		{testkit.Here(), protocol.Binary(nil), "bytes", []byte{}},
	} {
		lent := test.m.Clone()
		e := protocol.SendType.New(lent)
		if err := events.Seal(e); err != nil || e.Type() != "websocket.send" {
			t.Fatalf("%s: %v, type %q", test.at, err, e.Type())
		}
		scribble(lent.Data)
		if p := e.Prepared(); p == nil || p != e.Prepared() || !same(p.Message(), test.m) {
			t.Errorf("%s: prepared as %v", test.at, p)
		}
		if m, err := protocol.SendType.Payload(e); err != nil || !same(m, test.m) {
			t.Errorf("%s: the payload is %v %q, %v", test.at, m.Kind, m.Data, err)
		}
		want := map[string]any{test.field: test.value}
		if fields, err := sendFields.Payload(e); err != nil || !reflect.DeepEqual(fields, want) {
			t.Errorf("%s: on the wire it is %v, %v, want %v", test.at, fields, err, want)
		}
	}
}

func same(a, b protocol.Message) bool { return a.Kind == b.Kind && a.Text() == b.Text() }

// sendFields is SendType for who writes and reads the fields themselves.
var sendFields = protocol.EventType[map[string]any]{Name: "websocket.send"}

// TestDecision17_SendTypeFromElsewhere: a message event as Django sends it, or a
// program that writes its fields itself, is a message all the same, whichever
// question is asked first.
func TestDecision17_SendTypeFromElsewhere(t *testing.T) {
	t.Parallel()
	hi := text("hi")
	for _, test := range []struct {
		at      testkit.Line
		payload map[string]any
		want    *protocol.Message // nil: it holds no message
	}{
		{testkit.Here(), map[string]any{"text": "hi"}, &hi},
		{testkit.Here(), map[string]any{"text": "hi", "close": int64(1)}, &hi},
		{testkit.Here(), map[string]any{"text": ""}, &protocol.Message{}},
		{testkit.Here(), map[string]any{"bytes": []byte("hi")}, &protocol.Message{Kind: protocol.KindBinary, Data: hi.Data}},
		{testkit.Here(), map[string]any{"text": nil, "bytes": []byte("hi")}, &protocol.Message{Kind: protocol.KindBinary, Data: hi.Data}},
		{testkit.Here(), map[string]any{"close": true}, nil},
		{testkit.Here(), map[string]any{"text": int64(1)}, nil},
	} {
		for _, preparedFirst := range []bool{true, false} {
			e := sendFields.New(test.payload)
			if err := events.Seal(e); err != nil {
				t.Fatalf("%s: %v", test.at, err)
			}
			if preparedFirst {
				_ = e.Prepared()
			}
			checkSendEvent(t, test.at, e, test.want)
			if all, err := sendFields.Payload(e); err != nil || !reflect.DeepEqual(all, test.payload) {
				t.Errorf("%s: prepared first: %v: the fields are %v, %v, want %v", test.at, preparedFirst, all, err, test.payload)
			}
		}
	}
	if e := said.New(map[string]int{"text": 1}); events.Seal(e) != nil || e.Prepared() != nil {
		t.Error("an event of another type holds a message")
	}
}

func checkSendEvent(t *testing.T, at testkit.Line, e *protocol.Event, want *protocol.Message) {
	t.Helper()
	m, err := protocol.SendType.Payload(e)
	p := e.Prepared()
	if want == nil {
		if p != nil || !errors.Is(err, protocol.ErrEventPayload) {
			t.Errorf("%s: no message is prepared as %v, and read as %v %q, %v", at, p, m.Kind, m.Data, err)
		}
		return
	}
	if p == nil || !same(p.Message(), *want) {
		t.Errorf("%s: prepared as %v", at, p)
	}
	if err != nil || !same(m, *want) {
		t.Errorf("%s: read as %v %q, %v, want %v %q", at, m.Kind, m.Data, err, want.Kind, want.Data)
	}
}
