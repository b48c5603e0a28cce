package protocol_test

import (
	"errors"
	"slices"

	"github.com/wye-go/wye/internal/plumbing"
	"github.com/wye-go/wye/protocol"
)

// sight is something that the plans must lead to between them, or the model
// would check less than it seems to.
type sight struct {
	name string
	is   func(p *plan, log []*entry, e *entry) bool
}

func sights() (all []sight) {
	all = slices.Concat(results(), early(), bothEnds(), goroutineEnds())
	for _, by := range []who{theFactory, connect, receive, event, disconnect, deferredFun, goroutine} {
		for how, err := range map[string]error{"panic in ": errPanicked, "exit in ": errExited} {
			all = append(all, sight{how + string(by), func(_ *plan, _ []*entry, e *entry) bool {
				return e.what == left && e.who == by && errors.Is(e.err, err)
			}})
		}
	}
	return all
}

// results are what calls return, and how connections end.
func results() []sight {
	return []sight{
		{"accepted", saw(answered, nil)},
		{"the transport cannot accept", saw(answered, errNoAnswer)},
		{"refused", func(_ *plan, _ []*entry, e *entry) bool { return e.what == rejected }},
		{"refused before the answer", saw(sent, protocol.ErrQueueFull)},
		{"ErrDropped", saw(sent, protocol.ErrDropped)},
		{"ErrSlow", saw(sent, protocol.ErrSlow)},
		{"ErrBusy", saw(posted, protocol.ErrBusy)},
		{"message behind an event", func(_ *plan, log []*entry, e *entry) bool { return waited(log, e) }},
		{"unread", saw(left, plumbing.ErrUnread)},
		{"ended by the peer", endedWith(func(s protocol.CloseStatus) bool { return s.Remote })},
		{"ended by the network", endedWith(func(s protocol.CloseStatus) bool { return s.Code == protocol.CloseAbnormal })},
		{"ended by us", endedWith(func(s protocol.CloseStatus) bool { return !s.Remote && s.Code == 4001 })},
		{"closed with 1013", endedWith(func(s protocol.CloseStatus) bool { return s.Code == protocol.CloseTryAgainLater })},
		{"waited for room", func(_ *plan, log []*entry, e *entry) bool {
			return e.what == sent && e.err == nil && slices.ContainsFunc(log, func(f *entry) bool { return f.what == full && f.id == e.id })
		}},
		{"late message", func(_ *plan, _ []*entry, e *entry) bool {
			return e.what == entered && e.who == receive && e.ctx.deadline > 0
		}},
		{"undelivered event", func(_ *plan, log []*entry, e *entry) bool {
			return e.what == posted && e.err == nil && !slices.ContainsFunc(log, func(f *entry) bool { return f.who == event && f.id == e.id })
		}},
		{"deferred in a deferred function", func(_ *plan, log []*entry, e *entry) bool {
			return e.what == deferring && e.id < 1000 && !before(log, e, telling)
		}},
		{"a loop", func(p *plan, _ []*entry, _ *entry) bool { return p.looped }},
	}
}

// waited reports whether e is an offer of a message that was written later.
func waited(log []*entry, e *entry) bool {
	return e.what == sent && e.kind == doOffer && e.err == nil && has(log, answered) && !before(log, e, answered) &&
		slices.ContainsFunc(log, func(f *entry) bool { return f.what == wrote && f.id == e.id && f.at > e.at })
}

// early is what happens around the answer.
func early() []sight {
	return []sight{
		{"queued before the answer", func(_ *plan, log []*entry, e *entry) bool {
			return e.what == sent && e.err == nil && before(log, e, answered) && has(log, answered)
		}},
		{"end before the answer", func(_ *plan, log []*entry, e *entry) bool { return ends(e) && before(log, e, rejected, accepting) }},
		{"end while answering", func(_ *plan, log []*entry, e *entry) bool {
			return ends(e) && !before(log, e, accepting) && before(log, e, answered)
		}},
		{"Accept after an end", func(_ *plan, log []*entry, e *entry) bool {
			return e.what == unaccepted && !has(log, accepting) && slices.ContainsFunc(log[:slices.Index(log, e)], ends)
		}},
	}
}

// goroutineEnds is how the end and the goroutines meet.
func goroutineEnds() []sight {
	return []sight{
		{"a goroutine that the end waits for", func(_ *plan, log []*entry, e *entry) bool {
			return e.what == left && e.who == goroutine && e.ctx.done && !before(log, e, closing, ending) && before(log, e, telling)
		}},
		{"a goroutine that the end does not wait for", func(_ *plan, log []*entry, e *entry) bool {
			return e.what == left && e.who == goroutine && !before(log, e, telling)
		}},
	}
}

// bothEnds is what happens where the peer's end and ours meet while messages wait.
func bothEnds() []sight {
	return []sight{
		{"our end after the peer's, by Close", func(_ *plan, log []*entry, e *entry) bool {
			return e.what == calling && isAfterThePeers(log, e) && hasUnread(log)
		}},
		{"our end after the peer's, by a callback", func(_ *plan, log []*entry, e *entry) bool {
			return e.what == left && isOurs(e) && isAfterThePeers(log, e) && hasUnread(log)
		}},
		{"the peer's end after ours", func(_ *plan, log []*entry, e *entry) bool {
			return e.what == ending && slices.ContainsFunc(log[:slices.Index(log, e)], isOurs) && hasUnread(log)
		}},
		{"no time left for what the peer had said", func(_ *plan, log []*entry, e *entry) bool {
			return e.what == telling && hasUnread(log) && !slices.ContainsFunc(log[:slices.Index(log, e)], isOurs)
		}},
	}
}

// isOurs reports whether e ends the connection from our side.
func isOurs(e *entry) bool {
	if e.what != left || e.who != receive {
		return e.what == calling
	}
	_, local, ends := endOf(e)
	return ends && local && !isEcho(e.err)
}

// isAfterThePeers reports whether e comes after the peer's end and before Disconnect.
func isAfterThePeers(log []*entry, e *entry) bool {
	end := slices.IndexFunc(log, func(f *entry) bool { return f.what == ending })
	return end >= 0 && end < slices.Index(log, e) && has(log[slices.Index(log, e):], telling)
}

// hasUnread reports whether a message was never delivered.
func hasUnread(log []*entry) bool {
	return slices.ContainsFunc(log, func(f *entry) bool {
		return f.what == handing && !slices.ContainsFunc(log, func(g *entry) bool { return g.what == entered && g.who == receive && g.id == f.id })
	})
}

// saw is an entry of the kind with the error, or without any.
func saw(w what, err error) func(*plan, []*entry, *entry) bool {
	return func(_ *plan, _ []*entry, e *entry) bool {
		return e.what == w && (err == nil && e.err == nil || err != nil && isOwn(e.err, err))
	}
}

func endedWith(is func(protocol.CloseStatus) bool) func(*plan, []*entry, *entry) bool {
	return func(_ *plan, _ []*entry, e *entry) bool { return e.what == telling && is(e.status) }
}

// ends reports whether somebody ends the connection, at the time of the plan.
func ends(e *entry) bool { return (e.what == calling || e.what == ending) && e.at < horizon }

func has(log []*entry, w what) bool {
	return slices.ContainsFunc(log, func(e *entry) bool { return e.what == w })
}

// before reports whether e comes before the first entry of the kinds, or there
// is none.
func before(log []*entry, e *entry, kinds ...what) bool {
	first := slices.IndexFunc(log, func(f *entry) bool { return slices.Contains(kinds, f.what) })
	return first < 0 || slices.Index(log, e) < first
}
