// Package store holds what a back end keeps: the history of a group ([History]), which keys
// are present in it ([Presences]), and the events of named channels ([Queues]). They are
// plain values without a lock, a clock or a goroutine: the driver of this process and the
// broker of package layertest add those.
package store
