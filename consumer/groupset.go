package consumer

import "slices"

// places are the groups that a connection is in, or present in, and those that it is
// about to be in: the layer is asked without a lock, by several callbacks and
// goroutines at once. Each call begins and ends. No method's time grows with the number
// of places, except those that list them all.
type places struct {
	list []*place // in the order of the first calls
	many *many    // nil while list is short
}

// place is one group, until the connection has left it: who enters it again after
// that has another place.
type place struct {
	group string
	calls int32 // under way
	taken bool  // one has succeeded
	left  bool  // it is no longer among the places
}

// many is what a long list needs.
type many struct {
	byName map[string]*place
	left   int // places that are in the list although they were left
}

// fewPlaces is the length up to which a list is searched.
const fewPlaces = 16

// count is how many places there are.
func (ps *places) count() int {
	if ps.many != nil {
		return len(ps.many.byName)
	}
	return len(ps.list)
}

func (ps *places) find(group string) *place {
	if ps.many != nil {
		return ps.many.byName[group]
	}
	for _, p := range ps.list {
		if p.group == group {
			return p
		}
	}
	return nil
}

// begin notes that the connection is about to be in group, so that its end leaves it.
// For another place than those there are already, room is asked with their number; its
// error means that nothing has begun.
func (ps *places) begin(group string, room func(places int) error) (*place, error) {
	p := ps.find(group)
	if p == nil {
		if err := room(ps.count()); err != nil {
			return nil, err
		}
		p = &place{group: group}
		ps.add(p)
	}
	p.calls++
	return p, nil
}

func (ps *places) add(p *place) {
	ps.list = append(ps.list, p)
	switch {
	case ps.many != nil:
		ps.many.byName[p.group] = p
	case len(ps.list) > fewPlaces:
		ps.many = &many{byName: make(map[string]*place, 2*fewPlaces)}
		for _, p := range ps.list {
			ps.many.byName[p.group] = p
		}
	}
}

// end notes what the layer has said to a call for p. A call that fails takes nothing
// away from one that has succeeded, or still may. absent reports whether the
// connection is not to be in the group: then the layer must be told, because p may have
// been left before the layer has entered it.
func (ps *places) end(p *place, err error) (absent bool) {
	p.calls--
	switch {
	case p.left:
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
	if p == nil || p.left {
		return false
	}
	p.left = true
	if ps.many == nil {
		i := slices.Index(ps.list, p)
		ps.list = slices.Delete(ps.list, i, i+1)
		return true
	}
	delete(ps.many.byName, p.group)
	ps.many.left++
	if ps.many.left > len(ps.list)/2 {
		ps.compact()
	}
	return true
}

// compact takes the places that were left out of the list.
func (ps *places) compact() {
	ps.list = slices.DeleteFunc(ps.list, func(p *place) bool { return p.left })
	ps.many.left = 0
	if len(ps.list) <= fewPlaces/2 {
		ps.list, ps.many = slices.Clone(ps.list), nil // gives the memory of the long list back
	}
}

// removeAll returns the groups of all places, which are left.
func (ps *places) removeAll() []string {
	var names []string
	for _, p := range ps.list {
		if !p.left {
			names = append(names, p.group)
			p.left = true
		}
	}
	*ps = places{}
	return names
}

// taken are the groups that the connection is in, in the order of the first calls.
func (ps *places) taken() []string {
	var names []string
	for _, p := range ps.list {
		if p.taken && !p.left {
			names = append(names, p.group)
		}
	}
	return names
}
