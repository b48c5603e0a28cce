// Package layertest helps to test what has to do with channel layers: programs
// whose layer fails, and drivers.
//
// A [Broker] is a back end in this process, with as many nodes as a test wants,
// and with faults that the test chooses: delay, loss, nodes that are cut off or
// die, a broker that goes away and comes back. Bytes really travel, as between
// processes. It uses no clock but that of package time and blocks on channels
// only, so it works in a bubble of testing/synctest, where time passes without
// waiting.
//
//	broker := layertest.NewBroker(nil)
//	defer broker.Close()
//	here, err := layers.Open(ctx, broker.Node())
//	there, err := layers.Open(ctx, broker.Node())
//	...
//	broker.Stop() // GroupSend returns layers.ErrDown, consumers get layers.Down
//
// A [Suite] is what every [layers.Driver] must pass; [Run] is its short form.
// When a case fails it says which rule has been broken. What a driver need not be, a
// [layers.Historian] or a [layers.Presencer], is tested if it is, and reported as not
// applicable if it is not; Suite.History and Suite.Presence make that a failure.
package layertest
