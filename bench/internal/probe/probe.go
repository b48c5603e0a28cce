// Package probe lets the load generator learn how much live memory a server has: a Go
// program that calls Install collects its garbage on SIGUSR1 and writes its Sample to a
// file. It works for servers that are not on net/http, too.
package probe

// Env is the environment variable with the name of the file. A program that was started
// without it ignores SIGUSR1's purpose and must not be sent any.
const Env = "WYE_BENCH_PROBE"

// Sample is what a server knows about its memory after a garbage collection.
type Sample struct {
	// Heap is the bytes of live objects, Stacks of the goroutines' stacks.
	Heap       uint64 `json:"heap"`
	Stacks     uint64 `json:"stacks"`
	Goroutines int    `json:"goroutines"`
}
