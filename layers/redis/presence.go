package redis

import (
	"context"
	_ "embed" // of the scripts
	"fmt"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"github.com/wye-go/wye/layers/driver"
)

var _ driver.Presencer = (*Driver)(nil)

// The scripts.
//
//nolint:gochecknoglobals // constants
var (
	//go:embed presence_common.lua
	presenceCommon string
	//go:embed presence_message.lua
	presenceMessage string
	//go:embed presence_enter.lua
	enterText string
	//go:embed presence_enter_again.lua
	enterAgainText string
	//go:embed presence_exit.lua
	exitText string
	//go:embed presence_key.lua
	keyText string
	//go:embed presence_renew.lua
	renewText string
	//go:embed presence_reap.lua
	reapText string
	//go:embed presence_count.lua
	countText string

	enterScript = newScript(keptText + presenceMessage + enterText + presenceCommon + enterAgainText)
	exitScript  = newPresenceScript(exitText)
	keyScript   = newPresenceScript(keyText)
	renewScript = newPresenceScript(renewText)
	reapScript  = newPresenceScript(reapText)
	countScript = newScript(countText)
)

// keptFor is how long Redis keeps keys of presence that no node renews any longer.
const keptFor = time.Hour

//nolint:gochecknoglobals // a constant
var keptText = "local keptFor = " + milliseconds(keptFor) + "\n"

// presenceText returns a script with what it has in common with others.
func presenceText(text string) string { return keptText + presenceMessage + presenceCommon + text }

func newPresenceScript(text string) *script { return newScript(presenceText(text)) }

// Enter adds p to group: see [driver.Presencer]. What has changed is published by the script that
// changes it, so that each change is reported once, by whichever node.
func (d *Driver) Enter(ctx context.Context, group string, p driver.Presence) error {
	if err := d.usable(ctx); err != nil {
		return err
	}
	s := d.serverOf(group)
	k := entryKey{group, p.ID}
	unlock, err := s.presences.lock(ctx, k)
	if err != nil {
		return d.callError(ctx, s, err)
	}
	defer unlock()
	if old, again := s.presences.entry(k); again && old.Key == p.Key {
		p.Since = old.Since
	}
	entered, err := s.enter(ctx, group, p, false)
	if err != nil {
		s.presences.unsettled(k, 0) // it may have been entered all the same
		return err
	}
	s.presences.put(k, entered)
	return nil
}

// Exit removes a presence that this node has entered: see [driver.Presencer].
func (d *Driver) Exit(ctx context.Context, group, id string, linger time.Duration) error {
	if err := d.usable(ctx); err != nil {
		return err
	}
	s := d.serverOf(group)
	k := entryKey{group, id}
	unlock, err := s.presences.lock(ctx, k)
	if err != nil {
		s.presences.exit(k)
		s.presences.unsettled(k, linger)
		return d.callError(ctx, s, err)
	}
	defer unlock()
	s.presences.exit(k)
	left, err := s.exit(ctx, k, linger, "")
	if err != nil {
		s.presences.unsettled(k, linger)
		return err
	}
	s.presences.exitAfter(k, left)
	return nil
}

// Present returns the presences in group, on all nodes: see [driver.Presencer].
func (d *Driver) Present(ctx context.Context, group, key string) ([]driver.Presence, error) {
	if err := d.usable(ctx); err != nil {
		return nil, err
	}
	s := d.serverOf(group)
	if key != "" {
		return s.present(ctx, group, key)
	}
	end := d.startRoster(ctx, s, group)
	all, err := s.present(ctx, group, "")
	end(all, err)
	return all, err
}

// present returns the presences in group, of one key or, if it is "", all.
func (s *server) present(ctx context.Context, group, key string) ([]driver.Presence, error) {
	d := s.driver
	c, err := s.client()
	if err != nil {
		return nil, err
	}
	present := d.groupKey(group, "present")
	var reply rueidis.RedisResult
	if key == "" {
		reply = c.call(ctx, func(c *commands) rueidis.RedisResult { return c.Do(ctx, c.B().Hvals().Key(present).Build()) })
	} else {
		reply = keyScript.Exec(ctx, c, []string{present, d.groupKey(group, "keys")}, []string{key})
	}
	records, err := reply.ToArray()
	if err != nil {
		return nil, d.callError(ctx, s, err)
	}
	return d.parsePresences(group, records), nil
}

// Count returns how many presences and keys are in group, without reading them: see
// [driver.Presencer].
func (d *Driver) Count(ctx context.Context, group string) (driver.PresenceCount, error) {
	if err := d.usable(ctx); err != nil {
		return driver.PresenceCount{}, err
	}
	s := d.serverOf(group)
	c, err := s.client()
	if err != nil {
		return driver.PresenceCount{}, err
	}
	counts, err := countScript.Exec(ctx, c, s.presenceKeys(group), nil).AsIntSlice()
	if err != nil {
		return driver.PresenceCount{}, d.callError(ctx, s, err)
	}
	if len(counts) != 2 {
		return driver.PresenceCount{}, errReply
	}
	return driver.PresenceCount{Presences: int(counts[0]), Keys: int(counts[1])}, nil
}

// enter enters p and returns it as it is there. If again is set, a presence of another node with
// the same ID stays, and the error is errTaken.
func (s *server) enter(ctx context.Context, group string, p driver.Presence, again bool) (driver.Presence, error) {
	for range maxEnterTries {
		lease, err := s.lease(ctx)
		if err != nil {
			return p, err
		}
		reply, err := s.tryEnter(ctx, group, lease, p, again)
		if err != nil {
			return p, err
		}
		switch reply[0] {
		case "entered":
			return p, nil
		case "other":
			return p, errTaken
		case "lease":
			if err := s.newLease(ctx, lease); err != nil {
				return p, err
			}
		case "since":
			if len(reply) != 2 || len(reply[1]) != sinceLen {
				return p, errReply
			}
			p.Since = parseSince(reply[1])
		default:
			return p, errReply
		}
	}
	return p, fmt.Errorf("%w: the presence is changed all the time", driver.ErrDown)
}

// tryEnter returns the reply of the script that enters p, which is not empty.
func (s *server) tryEnter(ctx context.Context, group, lease string, p driver.Presence, again bool) ([]string, error) {
	d := s.driver
	c, err := s.client()
	if err != nil {
		return nil, err
	}
	r, err := d.encodePresence(group, lease, p)
	if err != nil {
		return nil, err
	}
	args := []string{d.transport.groupName(group), group, p.ID, r.record, ""}
	if again {
		args[4] = "again"
	}
	if r.entered != "" {
		args = append(args, r.entered, r.changed)
	}
	reply, err := enterScript.Exec(ctx, c, append(s.presenceKeys(group), s.leasesKey(), s.ownedKey(lease)), args).AsStrSlice()
	if err == nil && len(reply) == 0 {
		err = errReply
	}
	return reply, d.callError(ctx, s, err)
}

// maxEnterTries is how often Enter runs its script: leases end and other nodes interfere rarely.
const maxEnterTries = 10

// exit has a presence of this node exit, and returns for how long it lingers. mode is for the
// script.
func (s *server) exit(ctx context.Context, k entryKey, linger time.Duration, mode string) (time.Duration, error) {
	d := s.driver
	c, err := s.client()
	if err != nil {
		return 0, err
	}
	left, err := exitScript.Exec(ctx, c, s.presenceKeys(k.group), []string{
		s.prefix, d.transport.groupName(k.group), k.group, k.id, s.leasePrefix(), milliseconds(linger), mode,
	}).AsInt64()
	return time.Duration(left) * time.Millisecond, d.callError(ctx, s, err)
}

// maxPresenceKeys is how many keys a script has at most.
const maxPresenceKeys = 4

// presenceKeys returns the keys of a group that the scripts need.
func (s *server) presenceKeys(group string) []string {
	d := s.driver
	return append(make([]string, 0, maxPresenceKeys), d.groupKey(group, "present"), d.groupKey(group, "keys"))
}

func milliseconds(d time.Duration) string {
	if d > 0 && d < time.Millisecond {
		d = time.Millisecond
	}
	return strconv.FormatInt(d.Milliseconds(), 10)
}
