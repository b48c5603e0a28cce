package consumer

import "slices"

// membership is what a connection has to leave when it is over. Its zero value is empty.
type membership struct {
	groups     groupSet  // the groups that it is a member of
	channel    *channel  // nil until Channel is called
	presence   *presence // nil until Enter is called
	recorded   *groupSet // the groups that it has recorded to; nil if there are none
	leaveAdded bool      // leaveAll is registered with Defer
	leftAll    bool      // leaveAll has run: the connection is over
}

// channel is the channel name of a connection.
type channel struct {
	name   string
	unbind func() // nil if the connection was over when the name was made
}

// presence is the groups that a connection is present in.
type presence struct {
	id     string // the ID of its presence, the same in each group
	groups groupSet
}

// remove removes group, and reports whether the connection was present there. p may be
// nil.
func (p *presence) remove(group string) bool {
	return p != nil && p.groups.remove(p.groups.find(group))
}

// groupSet is the set of groups that a connection is in, or present in, including those
// for which a call to the layer has not returned yet. Several callbacks and goroutines
// make such calls at once, without a lock: each is between startCall and finishCall. No
// method takes longer the more groups there are, except those that list all of them.
type groupSet struct {
	list  []*groupEntry // in the order of the first calls
	index *groupIndex   // nil while list is short
}

// groupEntry is one group of a groupSet until it is removed. If the group is added again
// after that, it has another entry.
type groupEntry struct {
	group   string
	calls   int32 // calls that have not finished
	joined  bool  // a call has succeeded
	removed bool  // the entry is no longer in the set
}

// groupIndex finds the entries of a long list.
type groupIndex struct {
	byName  map[string]*groupEntry
	removed int // entries of the list that are removed
}

// maxSearched is the length up to which a list is searched without an index.
const maxSearched = 16

// size returns the number of groups.
func (s *groupSet) size() int {
	if s.index != nil {
		return len(s.index.byName)
	}
	return len(s.list)
}

// find returns the entry of group, or nil.
func (s *groupSet) find(group string) *groupEntry {
	if s.index != nil {
		return s.index.byName[group]
	}
	for _, e := range s.list {
		if e.group == group {
			return e
		}
	}
	return nil
}

// startCall adds group, unless it is there, before a call to the layer. mayAdd is called
// with the number of groups before another one is added; if it returns an error, nothing
// is added and no call has started.
func (s *groupSet) startCall(group string, mayAdd func(size int) error) (*groupEntry, error) {
	e := s.find(group)
	if e == nil {
		if err := mayAdd(s.size()); err != nil {
			return nil, err
		}
		e = &groupEntry{group: group}
		s.add(e)
	}
	e.calls++
	return e, nil
}

func (s *groupSet) add(e *groupEntry) {
	s.list = append(s.list, e)
	switch {
	case s.index != nil:
		s.index.byName[e.group] = e
	case len(s.list) > maxSearched:
		s.index = &groupIndex{byName: make(map[string]*groupEntry, 2*maxSearched)}
		for _, e := range s.list {
			s.index.byName[e.group] = e
		}
	}
}

// finishCall notes the result of a call for e. A failed call removes e only if no other
// call for it has succeeded or may still succeed. absent reports whether the connection
// must not be in the group: then the caller must tell the layer, because the group may
// have been removed before the layer added the connection.
func (s *groupSet) finishCall(e *groupEntry, err error) (absent bool) {
	e.calls--
	switch {
	case e.removed:
		return s.find(e.group) == nil
	case err == nil:
		e.joined = true
	case !e.joined && e.calls == 0:
		return s.remove(e)
	}
	return false
}

// remove removes e, and reports whether it was in the set. e may be nil.
func (s *groupSet) remove(e *groupEntry) bool {
	if e == nil || e.removed {
		return false
	}
	e.removed = true
	if s.index == nil {
		i := slices.Index(s.list, e)
		s.list = slices.Delete(s.list, i, i+1)
		return true
	}
	delete(s.index.byName, e.group)
	s.index.removed++
	if s.index.removed > len(s.list)/2 {
		s.compact()
	}
	return true
}

// compact deletes the removed entries from the list.
func (s *groupSet) compact() {
	s.list = slices.DeleteFunc(s.list, func(e *groupEntry) bool { return e.removed })
	s.index.removed = 0
	if len(s.list) <= maxSearched/2 {
		s.list, s.index = slices.Clone(s.list), nil // frees the memory of the long list
	}
}

// removeAll removes all entries and returns their groups.
func (s *groupSet) removeAll() []string {
	var names []string
	for _, e := range s.list {
		if !e.removed {
			names = append(names, e.group)
			e.removed = true
		}
	}
	*s = groupSet{}
	return names
}

// joined returns the groups for which a call has succeeded, in the order of the first
// calls.
func (s *groupSet) joined() []string {
	var names []string
	for _, e := range s.list {
		if e.joined && !e.removed {
			names = append(names, e.group)
		}
	}
	return names
}
