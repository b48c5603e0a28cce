package redis

import (
	"slices"
	"testing"
	"time"

	"github.com/redis/rueidis"
)

// Kill ends the driver as the end of its process does.
func (d *Driver) Kill() {
	d.cancel()
	d.running.Wait()
}

// AppendText is the script that appends to a history.
//
//nolint:gochecknoglobals // a constant
var AppendText = appendText

// ReapText is the script that removes what belongs to a lease.
//
//nolint:gochecknoglobals // a constant
var ReapText = presenceText(reapText)

// EnterAllAgain enters all again, as the driver does now and then.
func (d *Driver) EnterAllAgain(tb testing.TB) {
	tb.Helper()
	for _, s := range d.servers {
		if err := s.enterAllAgain(tb.Context()); err != nil {
			tb.Error(err)
		}
	}
}

// ACL returns the permissions that the driver needs.
func (d *Driver) ACL() string { return d.servers[0].acl() }

// Tune sets the lease of a node and how often its memberships are renewed. It is called before
// the driver is opened.
func (d *Driver) Tune(lease, renew time.Duration) { d.tune = tuning{lease: lease, renew: renew} }

// MakeSmall has connections take little memory. It is called before the driver is opened.
func (d *Driver) MakeSmall() {
	d.tune.client = func(o *rueidis.ClientOption) {
		o.RingScaleEachConn, o.ReadBufferEachConn, o.WriteBufferEachConn = 7, 4<<10, 4<<10
	}
}

// SlotOf returns the slot of the partition of a group, and which of Stats.Servers it is.
func (d *Driver) SlotOf(group string) (slot, server int) {
	s := d.serverOf(group)
	return int(s.target.part.slot), slices.Index(d.servers, s)
}

// HoldInbox has what arrives for a group wait until release is called.
func (d *Driver) HoldInbox(group string) (release func()) {
	held := make(chan struct{})
	d.inboxOf(group).call(func() { <-held })
	return func() { close(held) }
}

// HasRoster reports whether the node tells its members in a group of changes after an outage, and
// whether it looks for them.
func (d *Driver) HasRoster(group string) (tells, asks bool) {
	in, done := d.inboxOf(group), make(chan struct{})
	in.call(func() {
		tells = in.rosters[group] != nil
		_, asks = d.asked.Load(group)
		close(done)
	})
	<-done
	return tells, asks
}
