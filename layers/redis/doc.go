// Package redis is a driver that connects the layers of several processes, and those of
// Django Channels, over Redis or Valkey. Events are published with Redis Pub/Sub in the
// format of channels_redis's Pub/Sub layer (channels_redis.pubsub), so that a group_send of
// Django reaches the members of the group in Wye, and the reverse. Named channels are kept in
// the format of channels_redis's core layer (channels_redis.core).
// Recorded events (Layer.Record) reach Django as ordinary events.
//
//	layer, err := layers.Open(ctx, redis.New(redis.Options{URLs: []string{"redis://localhost:6379"}}))
package redis
