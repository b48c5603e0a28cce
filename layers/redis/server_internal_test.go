package redis

import (
	"context"
	"slices"
	"testing"
)

// changes is an intake that notes which groups are added to it.
type changes struct {
	intake

	added []string
}

func (in *changes) change(_ context.Context, _ *commands, add, _ []string) error {
	in.added = append(in.added, add...)
	return nil
}

// TestPlacedIntakeIsChanged: as soon as an intake is in place, groups are added to it. Nothing
// adds those later for which Subscribe has returned ErrDown.
func TestPlacedIntakeIsChanged(t *testing.T) {
	t.Parallel()
	d := &Driver{settings: &settings{}}
	d.ctx = t.Context()
	s, in := newServer(d, &target{}), &changes{}
	s.allWanted()
	if !s.place(in, &commands{}) {
		t.Fatal("the intake is not in place")
	}
	if err := s.change(t.Context(), []string{"room"}, nil); err != nil || !slices.Equal(in.added, []string{"room"}) {
		t.Errorf("change returned %v and has added %q, want room", err, in.added)
	}
}
