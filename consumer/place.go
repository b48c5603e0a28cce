package consumer

import "slices"

// places are the groups that a connection is in, or present in, and those that it is
// about to be in: the layer is asked without a lock, by several callbacks and
// goroutines at once. Each call begins and ends.
type places []*place

// place is one group, until the connection has left it: who enters it again after
// that has another place.
type place struct {
	group string
	calls int32 // under way
	taken bool  // one has succeeded
}

func (ps *places) find(group string) *place {
	for _, p := range *ps {
		if p.group == group {
			return p
		}
	}
	return nil
}

// begin notes that the connection is about to be in group, so that its end leaves it.
func (ps *places) begin(group string) *place {
	p := ps.find(group)
	if p == nil {
		p = &place{group: group}
		*ps = append(*ps, p)
	}
	p.calls++
	return p
}

// end notes what the layer has said to a call for p. A call that fails takes nothing
// away from one that has succeeded, or still may. absent reports whether the
// connection is not to be in the group: then the layer must be told, because p may have
// been left before the layer has entered it.
func (ps *places) end(p *place, err error) (absent bool) {
	p.calls--
	switch {
	case !slices.Contains(*ps, p):
		return ps.find(p.group) == nil
	case err == nil:
		p.taken = true
	case !p.taken && p.calls == 0:
		return ps.remove(p)
	}
	return false
}

// remove reports whether p was there. It may be nil.
func (ps *places) remove(p *place) bool {
	i := slices.Index(*ps, p)
	if i >= 0 {
		*ps = slices.Delete(*ps, i, i+1)
	}
	return i >= 0
}

// taken are the groups that the connection is in, in the order of the first calls.
func (ps *places) taken() []string {
	var names []string
	for _, p := range *ps {
		if p.taken {
			names = append(names, p.group)
		}
	}
	return names
}
