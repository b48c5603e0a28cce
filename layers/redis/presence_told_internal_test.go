package redis

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/layers/driver"
	"github.com/wye-go/wye/protocol"
)

// hearer is a receiver that notes the types of events.
type hearer struct {
	driver.Receiver

	types []string
}

func (h *hearer) Group(_ string, e *protocol.Event) { h.types = append(h.types, e.Type()) }

// TestRosterTells: all that arrives is delivered until the server was down, because what was
// published before members asked may arrive late. Then, members are not told what they know.
func TestRosterTells(t *testing.T) {
	t.Parallel()
	ann := driver.Presence{ID: "1", Key: "ann", Meta: json.RawMessage(`1`)}
	other := driver.Presence{ID: "2", Key: "ann", Meta: json.RawMessage(`2`)}
	entered, changed, exited := driver.Entered, driver.Changed, driver.Exited
	for _, row := range []struct {
		at      testkit.Line
		wasDown bool
		told    []driver.Presence
		read    []driver.Presence // by a member, after the outage
		typ     protocol.EventType[driver.PresenceEvent]
		p       driver.Presence
		want    []string
		after   int // how many keys are known
	}{
		{testkit.Here(), false, []driver.Presence{ann}, []driver.Presence{ann}, entered, ann, []string{entered.Name}, 1},
		{testkit.Here(), false, nil, []driver.Presence{ann}, exited, ann, []string{exited.Name}, 0},
		{testkit.Here(), true, []driver.Presence{ann}, []driver.Presence{ann}, entered, ann, nil, 1},
		{testkit.Here(), true, []driver.Presence{ann}, []driver.Presence{ann}, entered, other, []string{changed.Name}, 1},
		{testkit.Here(), true, nil, []driver.Presence{ann}, entered, ann, []string{entered.Name}, 1},
		{testkit.Here(), true, nil, []driver.Presence{ann}, exited, ann, nil, 0},
		{testkit.Here(), true, []driver.Presence{ann}, []driver.Presence{ann}, exited, ann, []string{exited.Name}, 0},
		{testkit.Here(), true, []driver.Presence{ann}, []driver.Presence{ann}, changed, other, []string{changed.Name}, 1},
		{testkit.Here(), true, []driver.Presence{ann}, nil, entered, ann, []string{entered.Name}, 1},
		{testkit.Here(), true, []driver.Presence{ann}, nil, exited, ann, []string{exited.Name}, 0},
		{testkit.Here(), false, []driver.Presence{ann}, nil, exited, ann, []string{exited.Name}, 0},
	} {
		h := &hearer{}
		r := &roster{told: byKey(row.told), wasDown: row.wasDown, unsettled: row.wasDown}
		r.noteMissed(row.read)
		in := &inbox{driver: &Driver{receiver: h}, rosters: map[string]*roster{"room": r}}
		e := row.typ.New(driver.PresenceEvent{Group: "room", Presence: row.p})
		if _, err := driver.Payload(e); err != nil {
			t.Fatal(err)
		}
		in.deliverPresence("room", e)
		if !slices.Equal(h.types, row.want) || len(r.told) != row.after {
			t.Errorf("%s: delivered %q, and %d are known; want %q and %d", row.at, h.types, len(r.told), row.want, row.after)
		}
	}
}

// TestRosterTellsWhoWasMissed: a member has read a group after an outage before another node has
// entered ann again. It is told when the difference is, and ben, who is still missing, has exited.
func TestRosterTellsWhoWasMissed(t *testing.T) {
	t.Parallel()
	ann, ben, cid := driver.Presence{ID: "1", Key: "ann"}, driver.Presence{ID: "2", Key: "ben"}, driver.Presence{ID: "3", Key: "cid"}
	h := &hearer{}
	r := &roster{told: byKey([]driver.Presence{ann, ben, cid}), wasDown: true, unsettled: true, reading: true}
	in := &inbox{driver: &Driver{receiver: h}, rosters: map[string]*roster{"room": r}}
	r.noteMissed([]driver.Presence{cid})
	in.tellDifference("room", r, []driver.Presence{ann, cid}, nil)
	if want := []string{driver.Exited.Name, driver.Entered.Name}; !slices.Equal(h.types, want) || len(r.told) != 2 {
		t.Errorf("delivered %q, and %d are known; want %q and 2", h.types, len(r.told), want)
	}
	r.noteMissed(nil)
	if r.unsettled || len(r.missed) > 0 {
		t.Errorf("%v are missed although the difference has been told", r.missed)
	}
}
