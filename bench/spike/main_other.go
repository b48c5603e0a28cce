//go:build !linux

// Command spike needs Linux: it is written for epoll.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "spike: needs Linux, it is written for epoll")
	os.Exit(1)
}
