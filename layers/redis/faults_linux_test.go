package redis_test

import (
	"testing"
	"time"

	"github.com/wye-go/wye/internal/redistest"
	"github.com/wye-go/wye/internal/testkit"
)

// TestNetworkIsCut cuts the link between a node and Redis, without a word to either: a packet
// that is sent then is lost. The other node has Redis beside it.
func TestNetworkIsCut(t *testing.T) {
	t.Parallel()
	near, far := testkit.NewNamespace(t), testkit.NewNamespace(t)
	near.LinkTo(t, far)
	s := redistest.New(t, redistest.Options{Host: "10.0.0.1", Run: near.Run})
	o := options(t, s.SocketURL())
	b := startNode(t, o)
	o.URLs = []string{s.URL()}
	a := startChild(t, o, far.Run)
	c := newCrowd(t, a.node, b)
	for range testkit.Count(2, 1) {
		since := time.Now()
		near.Sh(t, "ip link set near down")
		c.ann.await("layer down")
		if took := time.Since(since); took > bound10s {
			t.Errorf("the node has found the outage after %v, want 10 s at most", took)
		}
		before, word := c.ann.stats().Unpublished, c.word()
		c.ann.ask("say room "+word, "down")
		c.ann.await("said " + word)
		c.deaf.await("said " + word)
		if n := c.ann.stats().Unpublished - before; n != 1 {
			t.Errorf("%d sends were counted as not published, want 1", n)
		}
		guest := a.connect(t, "guests", false)
		c.ann.awaitOpen(3)
		guest.client.Close(1000, "")
		c.ann.awaitOpen(2)
		word = c.word()
		c.bob.ask("say room "+word, "sent")
		c.bob.await("said " + word)

		near.Sh(t, "ip link set near up")
		c.ann.await("layer up")
		c.ann.await("layer gap " + room)
		c.wantTogether(room)
	}
	if stats := c.bob.stats(); stats.Downs != 0 || stats.Gaps != 0 {
		t.Errorf("the node beside Redis has had an outage: %+v", stats)
	}
}
