package protocol

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Position is the position of an event in the history of its group. An event that was not
// recorded has the zero Position. A peer that has not seen an event yet has it too.
//
// Two positions can be compared if their epochs are equal. If the history of a group is
// lost or forgotten, the next history of that group has another epoch.
//
// As text, also in JSON, a Position is "17-3ZKX5QNEB2VH": letters, digits, hyphens and
// underscores, so that it can be part of a URL. The zero value is "". Send the peer the
// position with each event, and have the peer send the last one when it connects again.
type Position struct {
	Epoch  string // of the history, usually random; ASCII letters, digits, hyphens and underscores
	Offset uint64 // 1 for the first event, and one more for each event that follows
}

// maxEpoch is the greatest length of an epoch, in bytes.
const maxEpoch = 64

// IsZero reports whether p is the zero Position.
func (p Position) IsZero() bool { return p == Position{} }

// Covers reports whether a peer that has seen all events up to p has seen the event at q.
// It returns false if the epochs differ, because then it is not known, and if q is zero.
func (p Position) Covers(q Position) bool {
	return p.Epoch == q.Epoch && 0 < q.Offset && q.Offset <= p.Offset
}

// String returns p as text, "" for the zero Position.
func (p Position) String() string {
	if p.IsZero() {
		return ""
	}
	return strconv.FormatUint(p.Offset, 10) + "-" + p.Epoch
}

// MarshalText returns p as text. It returns an error if p has an offset without an epoch,
// an epoch without an offset, or an invalid epoch.
func (p Position) MarshalText() ([]byte, error) {
	if !p.IsZero() {
		if err := p.check(); err != nil {
			return nil, err
		}
	}
	return []byte(p.String()), nil
}

// UnmarshalText parses the text that MarshalText returns; the text may come from a peer. If
// it returns an error, p is unchanged.
func (p *Position) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*p = Position{}
		return nil
	}
	digits, epoch, _ := strings.Cut(string(text), "-")
	offset, err := strconv.ParseUint(digits, 10, 64)
	if err != nil || digits != strconv.FormatUint(offset, 10) {
		return fmt.Errorf("wye: %.100q is not a position; write an offset, a hyphen and an epoch", text)
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
