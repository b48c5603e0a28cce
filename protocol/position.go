package protocol

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Position is the place of an event in the history of its group. The zero value
// is no place: that of an event which was not recorded, and of whoever has seen
// none yet.
//
// Two positions of one epoch can be compared. A history that begins anew, because
// the old one was lost or forgotten, has another epoch, and then they cannot.
//
// As text, in JSON too, it is "17-3ZKX5QNEB2VH": letters, digits and hyphens, fit
// for a URL; the zero value is "". Give it to the peer along with what it is told,
// and take it back when the peer returns.
type Position struct {
	Epoch  string // of the history; ASCII letters, digits, hyphens and underscores, as a rule random
	Offset uint64 // 1 for the first event, and then one more for each
}

// maxEpoch is the greatest length of an epoch, in bytes.
const maxEpoch = 64

// IsZero reports whether p is no place.
func (p Position) IsZero() bool { return p == Position{} }

// Covers reports whether whoever has seen everything up to p has seen the event
// at q. Nobody can tell for another epoch, and then it is false, as it is if q is
// no place.
func (p Position) Covers(q Position) bool {
	return p.Epoch == q.Epoch && 0 < q.Offset && q.Offset <= p.Offset
}

// String returns p as text, "" for no place.
func (p Position) String() string {
	if p.IsZero() {
		return ""
	}
	return strconv.FormatUint(p.Offset, 10) + "-" + p.Epoch
}

// MarshalText returns p as text. The error says that p has only half of what a
// position has, or an epoch that does not fit.
func (p Position) MarshalText() ([]byte, error) {
	if !p.IsZero() {
		if err := p.check(); err != nil {
			return nil, err
		}
	}
	return []byte(p.String()), nil
}

// UnmarshalText takes what MarshalText has made; it may come from a peer. On an
// error p is as it was.
func (p *Position) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*p = Position{}
		return nil
	}
	digits, epoch, _ := strings.Cut(string(text), "-")
	offset, err := strconv.ParseUint(digits, 10, 64)
	if err != nil || digits != strconv.FormatUint(offset, 10) {
		return fmt.Errorf("wye: %.100q is no position, which is an offset, a hyphen and an epoch", text)
	}
	q := Position{Epoch: epoch, Offset: offset}
	if err := q.check(); err != nil {
		return err
	}
	*p = q
	return nil
}

var errPosition = errors.New("wye: a position has an offset from 1 on, and an epoch of 1 to 64 letters, digits, hyphens and underscores")

func (p Position) check() error {
	if p.Offset == 0 || p.Epoch == "" || len(p.Epoch) > maxEpoch {
		return errPosition
	}
	for _, c := range []byte(p.Epoch) {
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		if !letter && (c < '0' || '9' < c) && c != '-' && c != '_' {
			return errPosition
		}
	}
	return nil
}
