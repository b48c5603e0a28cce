// Package store holds what a layer remembers of a group: the events of its history
// ([Ring]), and who is present ([Crowd]). They are plain values without a lock, a
// clock or a goroutine; whoever uses them, a layer of one process or a broker of
// many nodes, brings those.
package store
