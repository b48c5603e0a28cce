// Package chore is the work that the measured servers do in a callback, the same in all of them:
// nothing, some CPU time, or a wait.
package chore

import (
	"bytes"
	"crypto/sha256"
	"time"
)

const (
	// SleepTime is how long Sleep waits for a message with a mark.
	SleepTime = 100 * time.Millisecond
	// MarkAt is where the mark of a message is; the load generator's stamp is before it.
	MarkAt = 8
	// Mark is the byte at MarkAt of a message whose callback shall sleep. No other message has it.
	Mark = 'Z'
)

// Sleep waits for SleepTime if the message has a mark.
func Sleep(m []byte) {
	if len(m) > MarkAt && m[MarkAt] == Mark {
		time.Sleep(SleepTime) //nolint:forbidigo // a callback that blocks is what is measured
	}
}

// burnSize is how many bytes Burn hashes: about 30 us with the instructions for SHA-256
// that all processors of the last years have.
const burnSize = 40 << 10

var burnt = bytes.Repeat([]byte("wye"), burnSize/3) // it is never written

// Burn spends about 30 us of CPU time, and allocates nothing. The work is the same in
// every call, so that a program that is preempted does not do less of it.
func Burn() byte {
	sum := sha256.Sum256(burnt)
	return sum[0]
}

// Do does the work of a path's kind: "sleep", "work", or none.
func Do(kind string, m []byte) {
	switch kind {
	case "sleep":
		Sleep(m)
	case "work":
		Burn()
	}
}
