// Package fanout compares Wye's layers.Layer with centrifuge's hub and with a map
// under a mutex, in one process and without any connection:
//
//	go test ./internal/fanout -run '^$' -bench . -benchtime 50ms
//
// What is measured begins with a send and ends where each member has counted it.
// A member of centrifuge is a client whose transport declines publications and
// counts how often it is asked whether it does, once for each: what there is up
// to there is the hub, what would follow is the client's queue.
//
// BenchmarkSend is a send to one group, BenchmarkMemberships joining and leaving
// with a million memberships in place, and their memory, BenchmarkGroups many
// groups on many goroutines (for -cpu), BenchmarkOthers how long others wait while
// a large group is walked. The names are keys and values, so that benchstat -col
// /hub makes tables of them. There is no code here but tests. Whether these leave
// goroutines is not looked at: a node of centrifuge leaves one for its metrics.
package fanout
