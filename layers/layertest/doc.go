// Package layertest tests drivers of channel layers, and programs whose layer fails.
//
// A [Broker] is a back end in this process, with as many nodes as a test needs and with
// faults that the test chooses: delay, loss, nodes that are cut off or die, a broker that
// stops and starts again. Events travel as bytes, as between processes. It uses no clock but
// that of package time and blocks on channels only, so it works in a bubble of
// testing/synctest, where time passes without waiting.
//
//	broker := layertest.NewBroker(nil)
//	defer broker.Close()
//	here, err := layers.Open(ctx, broker.Node())
//	there, err := layers.Open(ctx, broker.Node())
//	...
//	broker.Stop() // GroupSend returns layers.ErrDown, consumers get layers.Down
//
// A [Suite] tests a [layers.Driver], and every driver must pass it; [Run] is its short form.
// A case that fails names the rule that the driver breaks. The optional interfaces of a driver,
// [layers.Queuer], [layers.Historian] and [layers.Presencer], are tested if it has them, and
// reported as not applicable if it does not; Suite.Queues, Suite.History and Suite.Presence
// make that a failure.
package layertest
