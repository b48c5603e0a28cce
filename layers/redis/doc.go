// Package redis is a driver that connects the layers of several processes, and those of
// Django Channels, over Redis or Valkey. Events are published with Redis Pub/Sub in the
// format of channels_redis's Pub/Sub layer (channels_redis.pubsub), so that a group_send of
// Django reaches the members of the group in Wye, and the reverse. Named channels are kept in
// the format of channels_redis's core layer (channels_redis.core).
// Recorded events (Layer.Record) reach Django as ordinary events.
//
// Each test run has processes of Channels 4.0.0 and channels_redis 4.0.0, on Redis 7.0.15,
// exchange events with Wye; Channels 4.3.2 and channels_redis 4.3.0 have been tested as well.
// Before 4.2.1, channels_redis has no JSON, and its Pub/Sub layer does not encrypt.
//
//	layer, err := layers.Open(ctx, redis.New(redis.Options{URLs: []string{"redis://localhost:6379"}}))
package redis
