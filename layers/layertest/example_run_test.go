package layertest_test

import (
	"testing"
	"time"

	"github.com/wye-go/wye/layers"
	"github.com/wye-go/wye/layers/layertest"
)

// What the test of a driver looks like, here of the Broker's own. New is all that
// it needs, and what a test can do to its broker is tested as well.
func ExampleSuite() {
	testDriver := func(t *testing.T) { //nolint:thelper // it is what a Test function has in it
		broker := layertest.NewBroker(nil)
		t.Cleanup(broker.Close)
		suite := layertest.Suite{
			New:    func(*testing.T) layers.Driver { return broker.Node() },
			Stop:   broker.Stop,
			Start:  broker.Start,
			Kill:   broker.Kill,
			Slow:   broker.Slow,
			Expire: func() { <-time.After(time.Minute) },
			All:    true,
		}
		suite.Run(t)
	}
	_ = testDriver
	// Output:
}
