// Package layers carries events between consumers: to one of them by its
// channel name, or to a group of them.
//
// A [Layer] is what programs use. Consumers join groups through
// consumer.Conn.Join and leave them by themselves; everybody else sends:
//
//	layers.Default().GroupSend(ctx, "news", Published.New(article))
//
// Delivery is at most once. What one goroutine sends to one group arrives in the order
// of the sends, events and messages ([Layer.Broadcast]) alike: a message goes straight
// to the outgoing queue of each member, unless events wait for its consumer or it
// handles one; then the message waits behind them. Recorded events arrive in the order
// of their positions.
// A send never waits for a member: what a member has no room for costs that
// member, as its limits say, and is counted there.
//
// Named channels hold work: what is sent to one waits until a [Worker] takes it, a
// hundred events and a minute at the most, as in Channels.
//
// A layer always has a [Driver]. That of [Default] and of the zero Layer is of package
// memory: it reaches the consumers of one process. With another driver ([Open]) a layer
// reaches those of other processes as well; package driver has the contract, and package
// layertest what every driver must do, and a broker within one process that fails on
// demand, for tests. The driver for Redis is the module layers/redis; there is none for NATS
// yet. The Django Channels counterpart of the layer of one process is
// channels.layers.InMemoryChannelLayer.
package layers
