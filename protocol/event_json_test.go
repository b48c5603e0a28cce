package protocol_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/wye-go/wye/internal/events"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol"
)

// price is a type of the kind that libraries of money have: all that can be seen
// of it are its methods.
type price struct{ cents int64 }

func (p price) MarshalJSON() ([]byte, error) {
	return fmt.Appendf(nil, `"%d.%02d"`, p.cents/100, p.cents%100), nil
}

func (p *price) UnmarshalJSON(b []byte) error {
	n, err := strconv.ParseInt(strings.NewReplacer(`"`, "", ".", "").Replace(string(b)), 10, 64)
	p.cents = n
	return err
}

// maybe is an optional value.
type maybe[T any] struct {
	v  T
	ok bool
}

func (m maybe[T]) MarshalJSON() ([]byte, error) {
	if !m.ok {
		return []byte("null"), nil
	}
	return json.Marshal(m.v)
}

func (m *maybe[T]) UnmarshalJSON(b []byte) error {
	if m.ok = string(b) != "null"; !m.ok {
		return nil
	}
	return json.Unmarshal(b, &m.v)
}

// Stamp is embedded in others.
type Stamp struct {
	At time.Time `json:"at"`
}

type order struct {
	Stamp

	Total    price            `json:"total"`
	Parts    []price          `json:"parts"`
	ByName   map[string]price `json:"by_name"`
	Discount maybe[price]     `json:"discount"`
	None     maybe[price]     `json:"none"`
	Pointer  *price           `json:"pointer"`
	ID       int64            `json:"id,string"`
	Raw      json.RawMessage  `json:"raw"`
	Number   json.Number      `json:"number"`
	Key      []byte           `json:"key"`
	ByID     map[int]string   `json:"by_id"`
	Extra    any              `json:"extra"`
}

// TestPayloadsArriveAsJSONWould: what has methods for JSON only is not lost.
func TestPayloadsArriveAsJSONWould(t *testing.T) {
	t.Parallel()
	sent := order{
		Stamp: Stamp{time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)},
		Total: price{1250}, Parts: []price{{1000}, {250}}, ByName: map[string]price{"hat": {1000}},
		Discount: maybe[price]{price{5}, true}, Pointer: &price{7}, ID: 1 << 60, Raw: json.RawMessage(`{"a":[1]}`), Number: "12.5",
		Key: []byte{0, 255}, ByID: map[int]string{-1: "x"}, Extra: map[string]any{"price": price{1}, "list": []any{"a", true, nil}},
	}
	var want order
	text, err := json.Marshal(sent)
	if err == nil {
		err = json.Unmarshal(text, &want)
	}
	if err != nil {
		t.Fatal(err)
	}
	ordered := protocol.EventType[order]{Name: "shop.ordered"}
	if got, err := ordered.Payload(ordered.New(sent)); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v, %v\nwant %+v", got, err, want)
	}
}

// TestPayloadsReadAsAny: one type for whole numbers, one for others, and maps with
// names.
func TestPayloadsReadAsAny(t *testing.T) {
	t.Parallel()
	type object = map[string]any
	for _, row := range []struct {
		at   testkit.Line
		sent any
		want object
	}{
		{testkit.Here(), object{"n": 5, "m": 1000, "neg": -1, "u": uint8(200)}, object{"n": int64(5), "m": int64(1000), "neg": int64(-1), "u": int64(200)}},
		{testkit.Here(), object{"big": uint64(1 << 63)}, object{"big": uint64(1 << 63)}},
		{testkit.Here(), object{"f": 1.0, "g": float32(0.1)}, object{"f": 1.0, "g": 0.1}},
		{testkit.Here(), object{"names": map[int]string{1: "a"}}, object{"names": object{"1": "a"}}},
		{testkit.Here(), map[int]string{1: "a"}, object{"1": "a"}},
		{testkit.Here(), struct{ L []int }{[]int{1}}, object{"L": []any{int64(1)}}},
	} {
		got, err := protocol.EventType[object]{Name: "x"}.Payload(protocol.EventType[any]{Name: "x"}.New(row.sent))
		if err != nil || !reflect.DeepEqual(got, row.want) {
			t.Errorf("%s: got %#v, %v, want %#v", row.at, got, err, row.want)
		}
	}
}

type (
	writer struct {
		Posts []*article `json:"posts"`
	}
	article struct {
		Author *writer `json:"author"`
	}
)

// TestCircularPayload: it is an error that names the way, where it was the end of
// the process.
func TestCircularPayload(t *testing.T) {
	t.Parallel()
	a, p := &writer{}, &article{}
	a.Posts, p.Author = []*article{p}, a
	typ := protocol.EventType[article]{Name: "blog.posted"}
	e := typ.New(*p)
	err := events.Seal(e)
	want := `wye: event "blog.posted": the payload of type protocol_test.article cannot be encoded: author.posts[0].author: it is circular: this *protocol_test.writer contains itself`
	if err == nil || err.Error() != want {
		t.Errorf("Seal says %v,\nwant %s", err, want)
	}
	if _, err := typ.Payload(e); !errors.Is(err, protocol.ErrEventPayload) {
		t.Errorf("Payload says %v", err)
	}
	shared := &writer{}
	if err := events.Seal((protocol.EventType[[2]*article]{Name: "x"}).New([2]*article{{shared}, {shared}})); err == nil || !strings.Contains(err.Error(), "send a struct or a map") {
		t.Errorf("what is shared: %v", err)
	}
}

// FuzzNewEvent: an event of another process is whatever that process says.
func FuzzNewEvent(f *testing.F) {
	for _, v := range []any{
		order{Raw: json.RawMessage("{}")}, map[string]any{"text": "hi"}, map[string]any{"bytes": []byte("hi")},
		map[string]any{"by_id": map[int]int{1: 2}, "total": "1.25", "posts": []any{map[string]any{"author": nil}}},
	} {
		w, err := events.Payload(protocol.EventType[any]{Name: "x"}.New(v))
		if err != nil {
			f.Fatal(err)
		}
		f.Add("x", w)
		f.Add(protocol.SendType.Name, w)
	}
	f.Fuzz(func(t *testing.T, typ string, body []byte) {
		e, err := events.New(typ, body)
		if err != nil {
			return
		}
		w, err := events.Payload(e)
		if err != nil || !bytes.Equal(w, body) {
			t.Errorf("Wire returns %q, %v, of %q", w, err, body)
		}
		_, errs := protocol.EventType[order]{Name: typ}.Payload(e)
		_, err2 := protocol.EventType[article]{Name: typ}.Payload(e)
		m, err3 := protocol.EventType[map[string]any]{Name: typ}.Payload(e)
		for _, err := range []error{errs, err2, err3} {
			if err != nil && !errors.Is(err, protocol.ErrEventPayload) {
				t.Error(err)
			}
		}
		if err3 == nil {
			if err := events.Seal((protocol.EventType[map[string]any]{Name: typ}).New(m)); err != nil {
				t.Errorf("what was received cannot be sent on: %v", err)
			}
		}
		if p := e.Prepared(); p != nil && typ != protocol.SendType.Name {
			t.Error("an event of another type holds a message")
		}
	})
}
