package chatload

import (
	"slices"
	"strings"
	"testing"

	"github.com/wye-go/wye/internal/testkit"
)

// story is a room with ann (0), bob (1), and cy (2), who talks in lines. Ann says
// hello, bob something for ann only, cy something, and dee (3) is in another room.
func story() ([]*record, []row) {
	all := []id{{0, 0}, {1, 0}, {2, 0}}
	hear := func(lines bool, which ...int) (h []heard) {
		for _, i := range which {
			seq := int64(i + 1)
			if lines {
				seq = 0
			}
			h = append(h, heard{id: all[i], seq: seq})
		}
		return h
	}
	people := []*record{
		{room: "one", id: "ann", said: []said{{to: everybody, acked: 1, seq: 1}}, heard: hear(false, 0, 1, 2)},
		{room: "one", id: "bob", said: []said{{to: 0, acked: 1, seq: 2}}, heard: hear(false, 0, 1, 2)},
		{room: "one", id: "cy", lines: true, said: []said{{to: everybody, acked: 1}}, heard: hear(true, 0, 2)},
		{room: "two", id: "dee"},
	}
	rows := []row{
		{room: "one", seq: 1, from: "ann", text: all[0].text(), tag: "0/0"},
		{room: "one", seq: 2, from: "bob", to: "ann", text: all[1].text(), tag: "1/0"},
		{room: "one", seq: 3, from: "cy", text: all[2].text()},
	}
	return people, rows
}

// TestAudit changes one thing in a story that adds up.
func TestAudit(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		at     testkit.Line
		name   string
		change func(people []*record, rows []row) []row
		want   string // nothing: it adds up
	}{
		{testkit.Here(), "nothing", func(_ []*record, rows []row) []row { return rows }, ""},
		{testkit.Here(), "never stored", func(p []*record, rows []row) []row {
			for _, r := range p {
				r.heard = slices.DeleteFunc(r.heard, func(h heard) bool { return h.id.who == 2 })
			}
			return rows[:2]
		}, "message 2/0 was acknowledged, and is not stored"},
		{testkit.Here(), "lost on the way to the chat", func(p []*record, rows []row) []row {
			p[3].said = []said{{to: everybody}}
			return rows
		}, "message 3/0 is neither acknowledged nor stored"},
		{testkit.Here(), "stored twice", func(_ []*record, rows []row) []row {
			again := rows[0]
			again.seq = 4
			return append(rows, again)
		}, "message 0/0 is stored 2 times"},
		{testkit.Here(), "stored and not acknowledged", func(p []*record, rows []row) []row {
			p[0].said[0].acked = 0
			return rows
		}, "message 0/0 is stored, and was not acknowledged"},
		{testkit.Here(), "acknowledged with another place", func(p []*record, rows []row) []row {
			p[0].said[0].seq = 9
			return rows
		}, "message 0/0 was acknowledged with 9"},
		{testkit.Here(), "said by nobody", func(p []*record, rows []row) []row {
			p[0].said = nil
			return rows
		}, "nobody has said it"},
		{testkit.Here(), "from somebody else", func(_ []*record, rows []row) []row { rows[0].from = "bob"; return rows }, "is stored, want"},
		{testkit.Here(), "for somebody else", func(_ []*record, rows []row) []row { rows[1].to = "cy"; return rows }, "is stored, want"},
		{testkit.Here(), "in another room", func(_ []*record, rows []row) []row { rows[0].room = "two"; return rows }, "is stored, want"},
		{testkit.Here(), "with another tag", func(_ []*record, rows []row) []row { rows[0].tag = "x"; return rows }, "is stored, want"},
		{testkit.Here(), "with another text", func(_ []*record, rows []row) []row { rows[0].text += "!"; return rows }, `message 0/0 is "0/0 `},
		{testkit.Here(), "with a text of its own", func(_ []*record, rows []row) []row { rows[0].text = "hello"; return rows }, `nobody has said "hello"`},
		{testkit.Here(), "a hole in the places", func(_ []*record, rows []row) []row { rows[2].seq = 4; return rows }, "is stored, want"},
		{testkit.Here(), "not received", func(p []*record, rows []row) []row {
			p[0].heard = p[0].heard[:2]
			return rows
		}, "person 0 has not received message 2/0, 3 of one"},
		{testkit.Here(), "one in the middle not received", func(p []*record, rows []row) []row {
			p[1].heard = slices.Delete(p[1].heard, 1, 2)
			return rows
		}, "person 1 received message 2/0 as 3, where one has message 1/0 as 2"},
		{testkit.Here(), "received twice", func(p []*record, rows []row) []row {
			p[1].heard = append(p[1].heard, p[1].heard[2])
			return rows
		}, "person 1 received message 2/0, and more, when the room had no more"},
		{testkit.Here(), "received in another order", func(p []*record, rows []row) []row {
			slices.Reverse(p[2].heard)
			return rows
		}, "person 2 received message 2/0"},
		{testkit.Here(), "received with another place", func(p []*record, rows []row) []row {
			p[0].heard[2].seq = 4
			return rows
		}, "person 0 received message 2/0 as 4"},
		{testkit.Here(), "somebody else's received", func(p []*record, rows []row) []row {
			p[2].heard = slices.Insert(p[2].heard, 1, heard{id: id{1, 0}})
			return rows
		}, "person 2 received message 1/0"},
		{testkit.Here(), "received in another room", func(p []*record, rows []row) []row {
			p[3].heard = p[0].heard[:1]
			return rows
		}, "person 3 received message 0/0, and more"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			people, rows := story()
			err := audit(people, row.change(people, rows))
			if err == nil && row.want != "" || err != nil && (row.want == "" || !strings.Contains(err.Error(), row.want)) {
				t.Errorf("%s: got %v, want %q", row.at, err, row.want)
			}
		})
	}
}

// TestMany has more wrong than anybody wants to read.
func TestMany(t *testing.T) {
	t.Parallel()
	people, rows := story()
	people[3].said = make([]said, 100)
	err := audit(people, rows)
	if err == nil || strings.Count(err.Error(), "\n") != most || !strings.HasSuffix(err.Error(), "and 80 more") {
		t.Errorf("got %v, want %d complaints and how many more there are", err, most)
	}
}
