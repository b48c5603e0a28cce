package redis

import (
	"cmp"
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/wye-go/wye/layers/driver"
)

const (
	// leaseTime is for how long the memberships of a node that does not renew its lease stay.
	// Each probe renews the lease.
	leaseTime = 30 * time.Second
	// renewAtLeast is how often memberships are renewed at least, so that those that Redis has
	// evicted are noticed.
	renewAtLeast = 10 * time.Minute
	// groupsPerCall is how many groups a script changes. Redis does nothing else meanwhile.
	groupsPerCall = 256
)

// leasesKey returns the key of the leases of all nodes on a server.
func (t *core) leasesKey() string { return t.driver.settings.Prefix + ":wye:core:leases" }

// registeredKey returns the key of the set of all groups on a server in which a node is.
func (t *core) registeredKey(node string) string {
	return t.driver.settings.Prefix + ":wye:core:groups:" + node
}

// renewEvery returns how often memberships are renewed.
func (t *core) renewEvery() time.Duration {
	return cmp.Or(t.driver.tune.renew, min(t.driver.settings.GroupExpiry/3, renewAtLeast))
}

// sweepPause returns a time until dead nodes are looked for, by chance, so that not all nodes
// find them at the same time.
func (t *core) sweepPause() time.Duration {
	return t.lease/4 + rand.N(t.lease/4) //nolint:gosec // spreads load, protects nothing
}

// change has the node join groups and leave others.
//
// What scripts publish, recorded events and presences, arrives over Pub/Sub.
func (r *reader) change(ctx context.Context, c *commands, add, drop []string) error {
	if r.server.driver.leaving.Load() {
		return driver.ErrLayerClosed
	}
	if err := r.scripts.change(ctx, c, add, drop); err != nil {
		return err
	}
	add, drop = r.groupsOf(add), r.groupsOf(drop)
	if r.registered != nil { // the first change adds all that is wanted
		wanted := make(map[string]struct{}, len(add))
		for _, group := range add {
			wanted[group] = struct{}{}
		}
		drop = slices.DeleteFunc(r.registered, func(group string) bool { _, ok := wanted[group]; return ok })
		r.registered = nil
	}
	if _, err := r.transport.leaveGroups(ctx, c, r.server.driver.node, drop, goesOn); err != nil {
		return err
	}
	_, err := r.join(ctx, c, add)
	return err
}

// groupsOf returns the groups of names.
func (r *reader) groupsOf(names []string) []string {
	prefix := len(r.transport.groupName(""))
	groups := make([]string, len(names))
	for i, name := range names {
		groups[i] = name[prefix:]
	}
	return groups
}

// join has the node join groups, or renews its memberships. It returns those in which it was
// not.
func (r *reader) join(ctx context.Context, c *commands, groups []string) (added []string, err error) {
	t, d := r.transport, r.server.driver
	for some := range slices.Chunk(groups, groupsPerCall) {
		keys := append([]string{t.registeredKey(d.node), t.leasesKey()}, t.groupKeys(some)...)
		args := append([]string{t.home + groupLocal, d.node, wholeSeconds(d.settings.GroupExpiry)}, some...)
		fresh, err := coreJoin.Exec(ctx, c.Client, keys, args).AsStrSlice()
		if err != nil {
			return added, r.server.permission(err)
		}
		added = append(added, fresh...)
	}
	return added, nil
}

// groupKeys returns the keys of groups.
func (t *core) groupKeys(groups []string) []string {
	keys := make([]string, len(groups))
	for i, group := range groups {
		keys[i] = t.groupName(group)
	}
	return keys
}

// leaving says why a node leaves groups.
type leaving string

const (
	goesOn leaving = "goes-on"
	closes leaving = "closes"
	isDead leaving = "is-dead"
)

// leaveGroups removes a node from groups. Unless it goes on, all else that there is about it is
// removed with its last group. If it should be dead and is not, leaveGroups returns false.
func (t *core) leaveGroups(ctx context.Context, c *commands, node string, groups []string, why leaving) (left bool, err error) {
	for first := true; len(groups) > 0 || first && why != goesOn; first = false {
		some := groups[:min(len(groups), groupsPerCall)]
		groups = groups[len(some):]
		keys := append([]string{t.registeredKey(node), t.leasesKey(), t.driver.queueKey(homeOf(node))}, t.groupKeys(some)...)
		args := append([]string{homeOf(node) + groupLocal, node, string(why)}, some...)
		if n, err := coreLeave.Exec(ctx, c.Client, keys, args).AsInt64(); err != nil || n == 0 {
			return false, err
		}
	}
	return true, nil
}

// forget removes all that a server stores about a node.
func (t *core) forget(ctx context.Context, c *commands, node string, why leaving) (done bool, err error) {
	groups, err := c.Do(ctx, c.B().Smembers().Key(t.registeredKey(node)).Build()).AsStrSlice()
	if err != nil {
		return false, err
	}
	return t.leaveGroups(ctx, c, node, groups, why)
}

// leave removes all that the servers store about this node. Those that are down have others
// remove it, when its lease has ended.
func (t *core) leave(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, leaveTimeout)
	defer cancel()
	done := make(chan struct{}, len(t.driver.servers))
	for _, s := range t.driver.servers {
		go func() {
			defer func() { done <- struct{}{} }()
			if c, err := s.client(); err == nil {
				if _, err := t.forget(ctx, c, t.driver.node, closes); err != nil {
					s.logger().Debug("wye: redis: the memberships of this node could not be removed; they end with its lease", "error", err)
				}
			}
		}()
	}
	for range t.driver.servers {
		<-done
	}
}

// tend does what is due: it renews memberships, and removes those of dead nodes. What fails is
// done again at the next time.
func (r *reader) tend(ctx context.Context, c *commands) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	now := time.Now()
	if now.After(r.renew) {
		r.renew = now.Add(r.transport.renewEvery())
		if err := r.renewAll(ctx, c); err != nil {
			r.renew = now
		}
	}
	if now.After(r.sweep) {
		r.sweep = now.Add(r.transport.sweepPause())
		if err := r.sweepDead(ctx, c); err != nil {
			r.server.logger().Debug("wye: redis: the memberships of dead nodes could not be removed; it is tried again", "error", err)
		}
	}
}

// renewAll renews all memberships. Groups in which the node was not any longer may have lost
// events.
func (r *reader) renewAll(ctx context.Context, c *commands) error {
	var lost []string
	for some := range slices.Chunk(r.server.groups(), groupsPerCall) {
		added, err := r.renewSome(ctx, c, some)
		if err != nil {
			return err
		}
		lost = append(lost, added...)
	}
	if len(lost) > 0 {
		r.server.logger().Warn("wye: redis: memberships of this node were missing and were added again", "groups", len(lost))
		r.server.driver.receiver.Gap(lost...)
	}
	return nil
}

// renewSome renews the memberships in those of the groups that are still wanted.
func (r *reader) renewSome(ctx context.Context, c *commands, groups []string) (added []string, err error) {
	if err := r.server.lockChanging(ctx); err != nil {
		return nil, err
	}
	defer r.server.unlockChanging()
	return r.join(ctx, c, r.server.stillWanted(groups))
}

// stillWanted returns those of groups that are wanted.
func (s *server) stillWanted(groups []string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(groups, func(group string) bool {
		_, ok := s.mu.wanted[s.driver.transport.groupName(group)]
		return !ok
	})
}

// sweepDead removes all that there is about nodes whose leases have ended.
func (r *reader) sweepDead(ctx context.Context, c *commands) error {
	now, err := c.Do(ctx, c.B().Time().Build()).AsStrSlice()
	if err != nil {
		return err
	}
	dead, err := c.Do(ctx, c.B().Zrangebyscore().Key(r.transport.leasesKey()).Min("-inf").Max(now[0]).Build()).AsStrSlice()
	if err != nil {
		return err
	}
	for _, node := range dead {
		done, err := r.transport.forget(ctx, c, node, isDead)
		if err != nil {
			return err
		}
		if done {
			r.server.logger().Info("wye: redis: the memberships of a dead node were removed", "node", node)
		}
	}
	return nil
}
