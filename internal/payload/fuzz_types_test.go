package payload

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The types that people send, whose fields say nothing or not all of what they
// hold.
type (
	// money has methods of its value, and nothing exported.
	money struct{ cents int64 }
	// balance has methods of a pointer to it.
	balance struct{ cents int64 }
	// set is a map that is a list in JSON.
	set map[string]struct{}
	// optional may have a value.
	optional[T any] struct {
		value T
		set   bool
	}
	// place is text.
	place struct{ row, seat int }
	// grade is text, of a kind that is something else.
	grade int
	// code is a string with methods of its own.
	code string
	// flags are bytes that are text one by one.
	flags []flag
	flag  byte
	// hash is bytes.
	hash [4]byte
	// odd writes what it likes.
	odd struct{ json string }
	// period is zero when it says so.
	period struct{ Years int }
	// wrapped gets its methods from what is embedded.
	wrapped struct {
		time.Time
	}
)

func (m money) MarshalJSON() ([]byte, error) {
	return fmt.Appendf(nil, `{"amount": "%d.%02d", "currency": "EUR"}`, m.cents/100, m.cents%100), nil
}

func (m *money) UnmarshalJSON(b []byte) error {
	var v struct {
		Amount string `json:"amount"`
	}
	if err := json.Unmarshal(b, &v); err != nil {
		return err
	}
	n, err := strconv.ParseInt(strings.ReplaceAll(v.Amount, ".", ""), 10, 64)
	m.cents = n
	return err
}

func (m *balance) MarshalJSON() ([]byte, error) { return strconv.AppendInt(nil, m.cents, 10), nil }
func (m *balance) UnmarshalJSON(b []byte) error { return json.Unmarshal(b, &m.cents) }

func (s set) MarshalJSON() ([]byte, error) {
	all := make([]string, 0, len(s))
	for k := range s {
		all = append(all, k)
	}
	slices.Sort(all)
	return json.Marshal(all)
}

func (s *set) UnmarshalJSON(b []byte) error {
	var all []string
	err := json.Unmarshal(b, &all)
	*s = set{}
	for _, k := range all {
		(*s)[k] = struct{}{}
	}
	return err
}

func (o optional[T]) MarshalJSON() ([]byte, error) {
	if !o.set {
		return []byte(" null "), nil
	}
	return json.Marshal(o.value)
}

func (o *optional[T]) UnmarshalJSON(b []byte) error {
	if o.set = string(b) != "null"; !o.set {
		return nil
	}
	return json.Unmarshal(b, &o.value)
}

func (o optional[T]) IsZero() bool { return !o.set }

func (p place) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%d/%d", p.row, p.seat), nil }
func (p *place) UnmarshalText(b []byte) error {
	_, err := fmt.Sscanf(string(b), "%d/%d", &p.row, &p.seat)
	return err
}

func (g grade) MarshalText() ([]byte, error) { return []byte("grade " + strconv.Itoa(int(g))), nil }
func (g *grade) UnmarshalText(b []byte) error {
	_, err := fmt.Sscanf(string(b), "grade %d", (*int)(g))
	return err
}

func (c *code) UnmarshalText(b []byte) error {
	*c = code(strings.TrimPrefix(string(b), "read "))
	return nil
}
func (c code) MarshalText() ([]byte, error) { return []byte("read " + string(c)), nil }

func (f flag) MarshalText() ([]byte, error) { return []byte{'a' + byte(f)%26}, nil }
func (f *flag) UnmarshalText(b []byte) error {
	if len(b) != 1 {
		return errors.New("one letter, please")
	}
	*f = flag(b[0] - 'a')
	return nil
}

func (o odd) MarshalJSON() ([]byte, error)  { return []byte(o.json), nil }
func (o *odd) UnmarshalJSON(b []byte) error { o.json = string(b); return nil }

func (p *period) IsZero() bool { return p.Years < 0 }

// What is embedded in others.
type (
	Base struct {
		ID   int    `json:"id"`
		Name string `json:"name,omitempty"`
	}
	Deep struct {
		Base
		*Side

		Name  string
		Place place `json:"place"`
	}
	Side struct {
		ID    float32 // hidden by nothing: the others are named id
		Extra []byte  `json:"extra,omitempty"`
		Both  int
	}
	Other struct {
		Both int
	}
	inner struct {
		Inside string
		hidden int
	}
)
