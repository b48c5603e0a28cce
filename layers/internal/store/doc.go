// Package store holds what a back end keeps: the history of a group ([History]), who is
// present in a group ([Presences]), and the events of named channels ([Queues]). They are
// plain values without a lock, a clock or a goroutine: the driver of this process and the
// broker of package layertest add those.
package store
