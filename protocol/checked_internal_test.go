package protocol

import (
	"testing"

	"github.com/wye-go/wye/internal/testkit"
)

// TestCheckedText uses text that is not UTF-8, so that what is taken for valid shows
// whether it was checked again.
func TestCheckedText(t *testing.T) {
	t.Parallel()
	bad := []byte("\xff\xfe text")
	m := Message{Data: bad}
	noteChecked(&m)
	for _, row := range []struct {
		at   testkit.Line
		name string
		m    Message
		want bool
	}{
		{testkit.Here(), "the same bytes", m, true},
		{testkit.Here(), "with a key", Message{Data: m.Data, Key: "k", checked: m.checked, length: m.length}, true},
		{testkit.Here(), "a clone", m.Clone(), true},
		{testkit.Here(), "not checked", Message{Data: bad}, false},
		{testkit.Here(), "fewer bytes", with(m, bad[:4]), false},
		{testkit.Here(), "from further on", with(m, bad[1:]), false},
		{testkit.Here(), "more bytes", with(m, append(bad, '!')), false},
		{testkit.Here(), "other bytes", with(m, []byte("\xff\xfe text")), false},
		{testkit.Here(), "none", with(m, nil), true}, // the empty text is UTF-8
		{testkit.Here(), "a clone of other bytes", with(m, []byte("\xff")).Clone(), false},
	} {
		if got := isValid(&row.m); got != row.want {
			t.Errorf("%s: %s: taken for valid: %t, want %t", row.at, row.name, got, row.want)
		}
	}
	for _, empty := range []Message{{}, {Data: []byte{}}} {
		noteChecked(&empty)
		if isChecked(&empty) {
			t.Error("an empty message has a note")
		}
	}
}

// with is m with other data.
func with(m Message, data []byte) Message {
	m.Data = data
	return m
}
