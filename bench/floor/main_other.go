//go:build !linux

// Command floor needs Linux: it is written for epoll.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "floor: needs Linux, it is written for epoll")
	os.Exit(1)
}
