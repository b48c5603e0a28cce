// Package redis is a driver that connects the layers of several processes, and those of
// Django Channels, over Redis or Valkey. Events are published with Redis Pub/Sub in the
// format of channels_redis's Pub/Sub layer (channels_redis.pubsub), so that a group_send of
// Django reaches the members of the group in Wye, and the reverse. Named channels are kept in
// the format of channels_redis's core layer (channels_redis.core).
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
// entered: if Redis has lost nothing, nothing is reported; if it has lost all, Entered events are
// sent anew. Members that receive a Gap call Layer.Present. Changes are published in the group, so
// that consumers of Django in a group with presences need the methods presence_join,
// presence_change and presence_leave: Django Channels ends consumers that have no method for an
// event.
//
// Redis should not evict keys (maxmemory-policy noeviction): eviction loses history, and presences
// for up to 15 minutes. IDs and keys of presences are not encrypted; metadata and events are.
//
// Each test run has processes of Channels 4.0.0 and channels_redis 4.0.0, on Redis 7.0.15,
// exchange events with Wye; Channels 4.3.2 and channels_redis 4.3.0 have been tested as well.
// Before 4.2.1, channels_redis has no JSON, and its Pub/Sub layer does not encrypt.
//
//	layer, err := layers.Open(ctx, redis.New(redis.Options{URLs: []string{"redis://localhost:6379"}}))
package redis
