package consumer

import "slices"

// membership is what a connection has to leave when it is over. Its zero value is empty.
type membership struct {
	groups groupSet // the groups that it is a member of
	extra  *extra   // what few connections have; nil until it is needed

	leaveAdded   bool // leaveAll is registered with the session
	leftAll      bool // leaveAll has run: the connection is over
	disconnected bool // Disconnect was called, so the connection was accepted
}

// extra is the part of a membership that few connections have.
type extra struct {
	channel  string    // its channel name; "" until Channel is called
	unbind   func()    // nil if the connection was over when the name was made
	presence *presence // nil until Enter is called
	recorded *groupSet // the groups that it has recorded to; nil if there are none
}

// extras returns m.extra, which it makes if necessary.
func (m *membership) extras() *extra {
	if m.extra == nil {
		m.extra = new(extra)
	}
	return m.extra
}

// present returns the presence of the connection, or nil.
func (m *membership) present() *presence {
	if m.extra == nil {
		return nil
	}
	return m.extra.presence
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
//
// A set must not be copied. Most connections have one group, so the entry of the first one
// is a part of the set.
type groupSet struct {
	first groupEntry
	more  *groupList // the entries after first; nil if there are none
}

// groupEntry is one group of a groupSet until it is removed. If the group is added again
// after that, it has another entry.
type groupEntry struct {
	group   string
	calls   int32 // calls that have not finished
	used    bool  // false for a first entry that is not in use
	joined  bool  // a call has succeeded
	removed bool  // the entry is no longer in the set
}

// isIn reports whether e, which is the first entry of a set, is in the set.
func (e *groupEntry) isIn() bool { return e.used && !e.removed }

// size returns the number of groups.
func (s *groupSet) size() int {
	n := s.more.size()
	if s.first.isIn() {
		n++
	}
	return n
}

// find returns the entry of group, or nil.
func (s *groupSet) find(group string) *groupEntry {
	if s.first.isIn() && s.first.group == group {
		return &s.first
	}
	return s.more.find(group)
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
		e = s.add(group)
	}
	e.calls++
	return e, nil
}

func (s *groupSet) add(group string) *groupEntry {
	if !s.first.used && s.more == nil {
		s.first = groupEntry{group: group, used: true}
		return &s.first
	}
	if s.more == nil {
		s.more = new(groupList)
	}
	e := &groupEntry{group: group, used: true}
	s.more.add(e)
	return e
}

// finishCall notes the result of a call for e. A failed call removes e only if no other
// call for it has succeeded or may still succeed. absent reports whether the connection
// must not be in the group: then the caller must tell the layer, because the group may
// have been removed before the layer added the connection. The caller must not use e
// afterwards.
func (s *groupSet) finishCall(e *groupEntry, err error) (absent bool) {
	e.calls--
	switch {
	case e.removed:
		absent = s.find(e.group) == nil
		s.freeFirst()
		return absent
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
	if e == &s.first {
		s.freeFirst()
		return true
	}
	s.more.remove(e)
	if s.more.size() == 0 {
		s.more = nil
	}
	return true
}

// freeFirst makes the first entry free for another group, if it is removed and the callers
// of startCall that have it have called finishCall.
func (s *groupSet) freeFirst() {
	if s.first.removed && s.first.calls == 0 {
		s.first = groupEntry{}
	}
}

// removeAll removes all entries and returns their groups.
func (s *groupSet) removeAll() []string {
	var names []string
	for e := range s.all {
		names = append(names, e.group)
		e.removed = true
	}
	s.more = nil
	s.freeFirst()
	return names
}

// joined returns the groups for which a call has succeeded, in the order of the first
// calls.
func (s *groupSet) joined() []string {
	var names []string
	for e := range s.all {
		if e.joined {
			names = append(names, e.group)
		}
	}
	return names
}

// all yields the entries, in the order of the first calls.
func (s *groupSet) all(yield func(*groupEntry) bool) {
	if s.first.isIn() && !yield(&s.first) || s.more == nil {
		return
	}
	for _, e := range s.more.list {
		if !e.removed && !yield(e) {
			return
		}
	}
}

// groupList is a list of entries. A nil *groupList is empty.
type groupList struct {
	list  []*groupEntry // in the order of the first calls
	index *groupIndex   // nil while list is short
}

// groupIndex finds the entries of a long list.
type groupIndex struct {
	byName  map[string]*groupEntry
	removed int // entries of the list that are removed
}

// maxSearched is the length up to which a list is searched without an index.
const maxSearched = 16

func (l *groupList) size() int {
	switch {
	case l == nil:
		return 0
	case l.index != nil:
		return len(l.index.byName)
	}
	return len(l.list)
}

func (l *groupList) find(group string) *groupEntry {
	if l == nil {
		return nil
	}
	if l.index != nil {
		return l.index.byName[group]
	}
	for _, e := range l.list {
		if e.group == group {
			return e
		}
	}
	return nil
}

func (l *groupList) add(e *groupEntry) {
	l.list = append(l.list, e)
	switch {
	case l.index != nil:
		l.index.byName[e.group] = e
	case len(l.list) > maxSearched:
		l.index = &groupIndex{byName: make(map[string]*groupEntry, 2*maxSearched)}
		for _, e := range l.list {
			l.index.byName[e.group] = e
		}
	}
}

// remove removes e, which has been marked as removed.
func (l *groupList) remove(e *groupEntry) {
	if l.index == nil {
		i := slices.Index(l.list, e)
		l.list = slices.Delete(l.list, i, i+1)
		return
	}
	delete(l.index.byName, e.group)
	l.index.removed++
	if l.index.removed > len(l.list)/2 {
		l.compact()
	}
}

// compact deletes the removed entries from the list.
func (l *groupList) compact() {
	l.list = slices.DeleteFunc(l.list, func(e *groupEntry) bool { return e.removed })
	l.index.removed = 0
	if len(l.list) <= maxSearched/2 {
		l.list, l.index = slices.Clone(l.list), nil // frees the memory of the long list
	}
}
