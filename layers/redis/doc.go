// Package redis is a driver that connects the layers of several processes, and those of
// Django Channels, over Redis. It speaks the format of either of the two layers that
// channels_redis has, as [Options].Backend says, so that a group_send of Django reaches the
// members of the group in Wye, and the reverse.
//
//   - [PubSub], the default, is channels_redis.pubsub: events are published with Redis Pub/Sub.
//     It is the cheapest, and the choice for nodes of Wye alone. Events that are published while
//     a node is not connected do not reach it.
//   - [Core] is channels_redis.core, which most projects with Django Channels use: events wait
//     in a queue of each node, a sorted set. It is the choice if Django uses it.
//
// With both backends, named channels have the format of channels_redis.core.
//
// # Core
//
// A node has one queue, and one membership in each group of its members, whatever their number.
// It renews them before Options.GroupExpiry. A node renews its lease every two seconds; when
// that of a dead node has ended, after 30 seconds, the others remove its memberships and its
// queue, and Close does so for its own.
//
// An event that finds a queue full is dropped for that node or process of Django: it is counted in
// Stats.OverCapacity and logged once a minute, but is not an error, as in channels_redis.
// Options.Channels says how much a queue holds.
//
// What a node has not read when its connection breaks waits in its queue, for a minute by
// default. When it is connected again, it gets that, and then a Gap, because events may have
// been lost all the same. Recorded events and changes of presence do not pass through queues:
// nodes get them over Pub/Sub, and Django gets recorded events as ordinary ones.
//
// # Redis Cluster
//
// With PubSub, the URL may be that of a Redis Cluster, redis+cluster://. The groups are divided into
// Options.Partitions, each of which is one slot, and is for a node what a server is otherwise:
// Stats.Servers has one element for each partition. Events are published with classic Pub/Sub,
// which the cluster broadcasts, so that Django takes part through any node of the cluster; or, with
// Options.Sharded, with sharded Pub/Sub, in which Django cannot take part.
//
// When a slot has moved, or a replica has become the master, the node connects to the master that
// has the slot now. For the groups of the partition, that is an outage with a Gap, and histories
// have new epochs. Commands that find a slot moving wait until it has moved, for five seconds.
//
// # History and presence
//
// Recorded events (Layer.Record) reach Django as ordinary events. A history is kept in Redis, and
// survives the nodes, lost connections, and the end of its events. It is lost, and the next one
// has another epoch, when Redis starts again (also if it stores its data, because the last
// events may be missing), after a failover, and when Redis evicts its keys. What a node has missed
// while it was not connected is read and delivered when it is connected again; Layer.JoinFrom
// reports what cannot be read.
//
// Presences belong to their node, and leave with it: at once when the layer is closed, and within
// Options.PresenceLease when the node dies. After an outage, nodes enter again what they had
// entered. In the groups that a node has members in and for which Layer.Present was called there, it
// compares the presences with what it has reported to the members, when the time of a lease has passed
// since the outage: they get an event for each key that has entered, changed or exited meanwhile,
// and no other. In other groups, Entered may be sent again for a key if Redis has lost it, and changes
// during the outage are not reported: members that receive a Gap call Layer.Present.
//
// Changes are published in the group, so that, with PubSub, consumers of Django in a group with
// presences need the methods presence_join, presence_change and presence_leave: Django Channels
// ends consumers that have no method for an event.
//
// Redis should not evict keys (maxmemory-policy noeviction): eviction loses history, and presences
// for up to 15 minutes. IDs and keys of presences are not encrypted; metadata and events are.
//
// Servers are Redis 6 or newer, or Valkey. The tests run on Redis 7.0.15 and on Valkey 8.0.1.
//
// Each test run has processes of Channels 4.0.0 and channels_redis 4.0.0, on Redis 7.0.15,
// exchange events with Wye; Channels 4.3.2 and channels_redis 4.3.0 have been tested as well.
// Before 4.2.1, channels_redis has no JSON, and its Pub/Sub layer does not encrypt.
//
//	layer, err := layers.Open(ctx, redis.New(redis.Options{URLs: []string{"redis://localhost:6379"}}))
package redis
