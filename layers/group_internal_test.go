package layers

import (
	"testing"

	"github.com/wye-go/wye/protocol"
)

// dot is a member that is nothing but itself.
type dot struct{ _ byte }

func (*dot) Deliver(*protocol.Event) bool  { return false }
func (*dot) Offer(*protocol.Prepared) bool { return false }

func TestALayerForgetsWhatIsEmpty(t *testing.T) {
	t.Parallel()
	var l Layer
	d := &dot{}
	for _, group := range []string{"a", "b", "a"} {
		if err := l.Join(t.Context(), group, d); err != nil {
			t.Fatal(err)
		}
	}
	unbind, err := l.Bind("c", d)
	if err != nil {
		t.Fatal(err)
	}
	unbind()
	l.Leave("a", d)
	l.Leave("b", d)
	if groups, channels := len(l.groups.Names()), len(l.channels.Names()); groups != 0 || channels != 0 {
		t.Errorf("%d groups and %d channels are left of none", groups, channels)
	}
}

// TestMembersThatHaveCaughtUpTakeTheirPlace with the next event of the history, and at once
// if there is none.
func TestMembersThatHaveCaughtUpTakeTheirPlace(t *testing.T) {
	t.Parallel()
	var l Layer
	noise := protocol.EventType[struct{}]{Name: "x"}
	g := func() *group { return l.groups.Shard("g").Get("g") }
	join := func() {
		t.Helper()
		if _, err := l.JoinFrom(t.Context(), "g", &dot{}, Range{}); err != nil {
			t.Fatal(err)
		}
	}
	record := func() {
		t.Helper()
		if _, err := l.Record(t.Context(), "g", noise.New(struct{}{}), Retention{}); err != nil {
			t.Fatal(err)
		}
	}
	join()
	if n := len(g().catchingUp); n != 0 {
		t.Errorf("%d members are catching up in a group without history", n)
	}
	record()
	const joins = 512
	for range joins {
		join()
	}
	if err := l.GroupSend(t.Context(), "g", noise.New(struct{}{})); err != nil {
		t.Fatal(err)
	}
	if n := len(g().catchingUp); n != joins {
		t.Errorf("%d members are catching up before the next event, want %d", n, joins)
	}
	record()
	if n := len(g().catchingUp); n != 0 || g().members.Len() != joins+1 {
		t.Errorf("%d of %d members are catching up after it", n, g().members.Len())
	}
	all := g().members.Walk()
	for chunk := range all.Chunks {
		for _, m := range chunk {
			if _, ok := m.(*dot); !ok || !g().members.Has(m) {
				t.Errorf("%T is a member", m)
			}
		}
	}
}
