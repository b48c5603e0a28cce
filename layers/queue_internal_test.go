package layers

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// TestNamedChannelsThatHoldNothingGo: also those that nobody pulls from.
func TestNamedChannelsThatHoldNothingGo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var l Layer
		ctx := context.Background()
		send := func(channel string) {
			t.Helper()
			if err := l.Send(ctx, channel, noise()); err != nil {
				t.Fatal(err)
			}
		}
		for i := range 50 { // a puller waits for each
			go func() {
				if _, err := l.Pull(ctx, fmt.Sprint("pulled", i)); err != nil {
					t.Error(err)
				}
			}()
			synctest.Wait()
			send(fmt.Sprint("pulled", i))
			synctest.Wait()
		}
		if n := len(l.queues.mu.byName); n > 0 {
			t.Errorf("%d channels are left whose events have been pulled", n)
		}
		for i := range 50 {
			send(fmt.Sprint("unread", i))
		}
		<-time.After(queueExpiry)
		send("another")
		if n := len(l.queues.mu.byName); n != 1 {
			t.Errorf("%d channels are left, want the one whose event has not expired", n)
		}
		if got := l.Stats().Expired; got != 50 {
			t.Errorf("%d events are counted as expired, want 50", got)
		}
	})
}
