package redis

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/wye-go/wye/layers/driver"
)

// All that a node has entered on a server belongs to a lease of the node, which it renews with
// one command, however much that is. When a lease has ended, any node removes what belongs to
// it. A lease that has ended is not renewed: the node starts another one, enters all again, and
// removes what then still belongs to the old one. It does the same whenever the server was down,
// because calls may have been executed or not.

// presences are what this node has entered on a server. The lock of an entry is held while Redis
// is asked to change it, so that Redis and entered agree.
type presences struct {
	kick  chan struct{} // has room for one: there is work
	locks keyLocks

	leases int // how many it has started, also in vain; one is started at a time

	mu struct {
		sync.Mutex
		lease   string   // "" before the first Enter
		old     []string // leases that it has replaced
		entered map[entryKey]driver.Presence
		todo    map[entryKey]time.Duration // Redis may differ from entered; how long it is to linger if it exits
		lingers map[entryKey]struct{}      // whose time is over
		upSince time.Time
		ended   []string // leases of other nodes that have ended
		wasDown bool     // and members have not been told yet what has changed meanwhile
		closed  bool     // no lease is started any longer
	}
}

// entryKey identifies a presence.
type entryKey struct{ group, id string }

// errTaken means that another node has entered a presence with the same ID.
var errTaken = errors.New("wye: redis: another node has entered a presence with the same ID")

const (
	// defaultLease is how long what a dead node has entered stays at most.
	defaultLease = 15 * time.Second
	minLease     = time.Second
	// enterAgainEvery is how often all is entered again, in case Redis has evicted it.
	enterAgainEvery = keptFor / 4
	// reapBatch is how many presences are removed by one script.
	reapBatch = "100"
	// enterAtOnce is how many presences are entered again at the same time.
	enterAtOnce = 64
)

func newPresences() *presences {
	p := &presences{kick: make(chan struct{}, 1)}
	p.mu.entered = make(map[entryKey]driver.Presence)
	p.mu.todo, p.mu.lingers = make(map[entryKey]time.Duration), make(map[entryKey]struct{})
	p.mu.upSince = time.Now()
	return p
}

func (p *presences) lock(ctx context.Context, k entryKey) (unlock func(), err error) {
	return p.locks.lock(ctx, k)
}

func (p *presences) entry(k entryKey) (driver.Presence, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e, ok := p.mu.entered[k]
	return e, ok
}

func (p *presences) put(k entryKey, e driver.Presence) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.entered[k] = e
}

// exit notes that a presence is no longer to be there.
func (p *presences) exit(k entryKey) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.mu.entered, k)
}

// unsettled notes that Redis may have something else than p. If it is a presence that has
// exited, it is to linger for a time.
func (p *presences) unsettled(k entryKey, linger time.Duration) {
	p.mu.Lock()
	p.mu.todo[k] = linger
	p.mu.Unlock()
	p.wake()
}

// exitAfter has a presence exit that lingers for a time, if that is not 0.
func (p *presences) exitAfter(k entryKey, linger time.Duration) {
	if linger <= 0 {
		return
	}
	time.AfterFunc(linger, func() {
		p.mu.Lock()
		p.mu.lingers[k] = struct{}{}
		p.mu.Unlock()
		p.wake()
	})
}

func (p *presences) wake() {
	select {
	case p.kick <- struct{}{}:
	default: // it is awake
	}
}

// leaseTime is how long a lease lasts. With the tick of a node that removes what has ended, what
// a dead node has entered is gone within Options.PresenceLease.
func (s *server) leaseTime() time.Duration { return s.driver.settings.PresenceLease * 3 / 4 }

// leaseTick is the time between two renewals.
func (s *server) leaseTick() time.Duration { return s.driver.settings.PresenceLease / 8 }

// leasePrefix starts the names of all leases of this node.
func (s *server) leasePrefix() string { return s.driver.node + ":" }

func (s *server) leasesKey() string { return s.prefix + ":wye:leases" }

func (s *server) ownedKey(lease string) string {
	return s.prefix + ":wye:owned:" + lease
}

// lease returns the lease of this node, and starts one if there is none.
func (s *server) lease(ctx context.Context) (string, error) {
	p := s.presences
	p.mu.Lock()
	lease := p.mu.lease
	p.mu.Unlock()
	if lease != "" {
		return lease, nil
	}
	if err := s.newLease(ctx, ""); err != nil {
		return "", err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mu.lease, nil
}

// newLease replaces a lease, unless that has been done.
func (s *server) newLease(ctx context.Context, old string) error {
	p := s.presences
	unlock, err := p.locks.lock(ctx, entryKey{}) // one at a time
	if err != nil {
		return s.driver.callError(ctx, s, err)
	}
	defer unlock()
	p.mu.Lock()
	current, closed := p.mu.lease, p.mu.closed
	p.mu.Unlock()
	switch {
	case closed:
		return driver.ErrLayerClosed
	case current != old:
		return nil
	}
	p.leases++
	lease := s.leasePrefix() + strconv.Itoa(p.leases)
	if _, _, err := s.renew(ctx, lease, "start"); err != nil {
		return err
	}
	p.mu.Lock()
	p.mu.lease = lease
	if old != "" {
		p.mu.old = append(p.mu.old, old)
	}
	p.mu.Unlock()
	p.wake()
	return nil
}

// renew renews or starts a lease and returns those of all nodes that have ended.
func (s *server) renew(ctx context.Context, lease, mode string) (renewed bool, ended []string, err error) {
	c, err := s.client()
	if err != nil {
		return false, nil, err
	}
	reply, err := renewScript.Exec(ctx, c, []string{s.leasesKey(), s.ownedKey(lease)},
		[]string{lease, milliseconds(s.leaseTime()), mode}).ToArray()
	if err != nil {
		return false, nil, s.driver.callError(ctx, s, err)
	}
	if len(reply) != 2 {
		return false, nil, errReply
	}
	n, err := reply[0].AsInt64()
	if err != nil {
		return false, nil, errReply
	}
	ended, err = reply[1].AsStrSlice()
	if err != nil {
		return false, nil, errReply
	}
	return n == 1, ended, nil
}

// keepLease renews the lease until the driver is closed.
func (s *server) keepLease() {
	ctx := s.driver.ctx
	tick := time.NewTicker(s.leaseTick())
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.tryPresences(s.renewLease)
		}
	}
}

// keepPresences does what is to be done, until the driver is closed. keepLease wakes it.
func (s *server) keepPresences() {
	ctx := s.driver.ctx
	again := time.NewTicker(enterAgainEvery)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-again.C:
			s.tryPresences(s.enterAllAgain)
		case <-s.presences.kick:
			s.tryPresences(s.settle)
			s.tryPresences(s.afterOthers)
		}
	}
}

// tryPresences calls f while the server is up. An error that does not mean that the server is down
// is logged; it is tried again.
func (s *server) tryPresences(f func(context.Context) error) {
	if s.commands.Load() == nil {
		return
	}
	ctx := s.driver.ctx // if the server does not answer, it is down before long
	err := f(ctx)
	if err != nil && ctx.Err() == nil && !errors.Is(err, driver.ErrDown) && !errors.Is(err, driver.ErrLayerClosed) {
		s.logger().Error("wye: redis: presence could not be kept up to date; the driver tries again", "error", err)
	}
}

// renewLease renews the lease, if there is one, and notes those that have ended.
func (s *server) renewLease(ctx context.Context) error {
	p := s.presences
	p.mu.Lock()
	lease := p.mu.lease
	p.mu.Unlock()
	renewed, ended, err := s.renew(ctx, lease, "")
	if err != nil {
		return err
	}
	p.mu.Lock()
	p.mu.ended = slices.DeleteFunc(ended, func(l string) bool { return strings.HasPrefix(l, s.leasePrefix()) }) // settle does it
	p.mu.Unlock()
	defer p.wake()
	if lease != "" && !renewed {
		return s.newLease(ctx, lease)
	}
	return nil
}

// afterOthers does what has to wait until other nodes have had the time to return, after the
// server was down: it removes what belonged to leases that have ended, and tells members what
// has changed while the server was down.
func (s *server) afterOthers(ctx context.Context) error {
	p := s.presences
	p.mu.Lock()
	ended, upSince, wasDown := p.mu.ended, p.mu.upSince, p.mu.wasDown
	p.mu.ended = nil
	p.mu.Unlock()
	if time.Since(upSince) < s.leaseTime() {
		return nil
	}
	for _, lease := range ended {
		if err := s.reap(ctx, lease, ""); err != nil {
			return err
		}
	}
	if !wasDown {
		return nil
	}
	if err := s.tellChanges(ctx); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.wasDown = !p.mu.upSince.Equal(upSince)
	return nil
}

// reap removes what belongs to a lease.
func (s *server) reap(ctx context.Context, lease, mode string) error {
	d := s.driver
	for {
		c, err := s.client()
		if err != nil {
			return err
		}
		left, err := reapScript.Exec(ctx, c, []string{s.leasesKey(), s.ownedKey(lease)},
			[]string{s.prefix, d.transport.groupPrefix(s), lease, reapBatch, mode}).AsInt64()
		if err != nil || left == 0 {
			return d.callError(ctx, s, err)
		}
	}
}

// settle has Redis agree with what this node has entered.
func (s *server) settle(ctx context.Context) error {
	p := s.presences
	p.mu.Lock()
	old := slices.Clone(p.mu.old)
	p.mu.Unlock()
	if len(old) > 0 {
		if err := s.enterAllAgain(ctx); err != nil {
			return err
		}
		for _, lease := range old {
			if err := s.reap(ctx, lease, "force"); err != nil {
				return err
			}
			p.mu.Lock()
			p.mu.old = slices.DeleteFunc(p.mu.old, func(o string) bool { return o == lease })
			p.mu.Unlock()
		}
	}
	p.mu.Lock()
	todo, lingers := slices.Collect(maps.Keys(p.mu.todo)), slices.Collect(maps.Keys(p.mu.lingers))
	p.mu.Unlock()
	return errors.Join(forAll(todo, func(k entryKey) error { return s.settleOne(ctx, k) }),
		forAll(lingers, func(k entryKey) error { return s.endLinger(ctx, k) }))
}

// enterAllAgain enters all that this node has entered.
func (s *server) enterAllAgain(ctx context.Context) error {
	p := s.presences
	p.mu.Lock()
	all := slices.Collect(maps.Keys(p.mu.entered))
	p.mu.Unlock()
	return forAll(all, func(k entryKey) error { return s.enterAgain(ctx, k) })
}

// forAll calls f for all, for many at the same time, and returns one of the errors.
func forAll(all []entryKey, f func(entryKey) error) (failed error) {
	for some := range slices.Chunk(all, enterAtOnce) {
		errs := make([]error, len(some))
		var calls sync.WaitGroup
		for i, k := range some {
			calls.Go(func() { errs[i] = f(k) })
		}
		calls.Wait()
		for _, err := range errs {
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// enterAgain enters what has been entered before, unless another node has entered it since.
func (s *server) enterAgain(ctx context.Context, k entryKey) error {
	p := s.presences
	unlock, err := p.lock(ctx, k)
	if err != nil {
		return err
	}
	defer unlock()
	return s.enterAgainLocked(ctx, k)
}

func (s *server) enterAgainLocked(ctx context.Context, k entryKey) error {
	p := s.presences
	e, ok := p.entry(k)
	if !ok {
		return nil
	}
	_, err := s.enter(ctx, k.group, e, true)
	if errors.Is(err, errTaken) {
		p.exit(k)
		return nil
	}
	return err
}

// settleOne has Redis agree about one presence.
func (s *server) settleOne(ctx context.Context, k entryKey) error {
	p := s.presences
	unlock, err := p.lock(ctx, k)
	if err != nil {
		return err
	}
	defer unlock()
	p.mu.Lock()
	linger, todo := p.mu.todo[k]
	_, entered := p.mu.entered[k]
	p.mu.Unlock()
	var left time.Duration
	switch {
	case !todo:
		return nil
	case entered:
		err = s.enterAgainLocked(ctx, k)
	default:
		left, err = s.exit(ctx, k, linger, "")
	}
	if err != nil {
		return err
	}
	p.mu.Lock()
	delete(p.mu.todo, k)
	p.mu.Unlock()
	p.exitAfter(k, left)
	return nil
}

// endLinger has a presence exit whose time is over.
func (s *server) endLinger(ctx context.Context, k entryKey) error {
	p := s.presences
	unlock, err := p.lock(ctx, k)
	if err != nil {
		return err
	}
	defer unlock()
	left, err := s.exit(ctx, k, 0, "over")
	if err != nil {
		return err
	}
	p.mu.Lock()
	delete(p.mu.lingers, k)
	p.mu.Unlock()
	p.exitAfter(k, left)
	return nil
}

// resumePresences is called when the server is up again.
func (s *server) resumePresences() {
	p := s.presences
	p.mu.Lock()
	p.mu.upSince, p.mu.wasDown = time.Now(), true
	lease := p.mu.lease
	p.mu.Unlock()
	if lease == "" {
		return
	}
	s.driver.running.Go(func() {
		s.tryPresences(func(ctx context.Context) error { return s.newLease(ctx, lease) })
	})
}

// leavePresences removes what this node has entered, as far as that can be done in a short time.
func (d *Driver) leavePresences(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, leaveTimeout)
	defer cancel()
	var all sync.WaitGroup
	for _, s := range d.servers {
		all.Go(func() { s.leavePresences(ctx) })
	}
	all.Wait()
}

// leaveTimeout is how long Close waits until what the node has entered is removed.
const leaveTimeout = time.Second

func (s *server) leavePresences(ctx context.Context) {
	p := s.presences
	p.mu.Lock()
	lease := p.mu.lease
	p.mu.closed = true
	p.mu.Unlock()
	c := s.commands.Load()
	if lease == "" || c == nil {
		return
	}
	// If the time does not suffice, others do the rest.
	end := c.B().Zadd().Key(s.leasesKey()).Xx().ScoreMember().ScoreMember(0, lease).Build()
	if err := c.Do(ctx, end).Error(); err == nil {
		_ = s.reap(ctx, lease, "force") //nolint:errcheck // likewise
	}
}
