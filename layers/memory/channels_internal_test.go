package memory

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// TestNamedChannelsThatHoldNothingAreRemoved: also those that nobody pulls from.
func TestNamedChannelsThatHoldNothingAreRemoved(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, ctx := started(t), context.Background()
		push := func(channel string) {
			t.Helper()
			if err := d.Push(ctx, channel, empty()); err != nil {
				t.Fatal(err)
			}
		}
		left := func() int { return d.hub.channels.mu.queues.Len() }
		for i := range 50 { // a puller waits for each
			go func() {
				if _, err := d.Pull(ctx, fmt.Sprint("pulled", i)); err != nil {
					t.Error(err)
				}
			}()
			synctest.Wait()
			push(fmt.Sprint("pulled", i))
			synctest.Wait()
		}
		if n := left(); n > 0 {
			t.Errorf("%d channels are left whose events have been pulled", n)
		}
		for i := range 50 {
			push(fmt.Sprint("unread", i))
		}
		<-time.After(defaultExpiry)
		push("another")
		if n := left(); n != 1 {
			t.Errorf("%d channels are left, want the one whose event has not expired", n)
		}
		if got := d.Expired(); got != 50 {
			t.Errorf("%d events are counted as expired, want 50", got)
		}
	})
}
