package main

import (
	"strconv"

	"github.com/wye-go/wye/bench/internal/load"
)

// server is a program to measure.
type server struct {
	name string
	dir  string   // its package, relative to the bench directory
	args []string // followed by -addr and an address
	mode string   // ws, or tcp for a server that echoes bytes
	path string   // what comes before /echo, /room/<name> and /member/<name>
	solo bool     // it has no rooms
}

// baseline is the server that the others are compared with.
const baseline = "floor"

var servers = []server{
	{name: baseline, dir: "./floor", mode: "ws"},
	{name: "floor-raw", dir: "./floor", args: []string{"-raw"}, mode: "tcp", solo: true},
	{name: "spike", dir: "./spike", mode: "ws"},
	{name: "wye", dir: "./server", mode: "ws"},
	{name: "gorilla", dir: "./peers/gorilla", mode: "ws", solo: true},
	{name: "coder", dir: "./peers/coder", mode: "ws", solo: true},
	{name: "gws", dir: "./peers/gws", mode: "ws", solo: true},
}

func (s server) key() string { return s.name }

// plays tells whether the server can take part in a scenario.
func (s server) plays(sc scenario) bool {
	switch sc.kind() {
	case load.Room:
		return !s.solo
	case load.Handshake:
		return s.mode == "ws"
	default:
		return true
	}
}

// scenario is a way to use a server: a name for the flag, one for the table,
// and the arguments of the load generator.
type scenario struct {
	name, title string
	args        []string
}

func (s scenario) key() string { return s.name }

func (s scenario) kind() load.Scenario { return load.Scenario(s.args[0]) }

func scenarios() []scenario {
	return []scenario{
		{"echo", "echo D=1", []string{"echo", "-conns", "100", "-size", "64", "-depth", "1"}},
		{"echo-d16", "echo D=16", []string{"echo", "-conns", "100", "-size", "64", "-depth", "16"}},
		{"echo-16k", "echo 16 KiB", []string{"echo", "-conns", "100", "-size", "16384", "-depth", "1"}},
		{"echo-16k-zh", "echo 16 KiB zh", []string{"echo", "-conns", "100", "-size", "16384", "-depth", "1", "-data", "chinese"}},
		{"room", "room 1000 w=1", []string{"room", "-members", "1000", "-size", "64", "-window", "1"}},
		{"room-w16", "room 1000 w=16", []string{"room", "-members", "1000", "-size", "64", "-window", "16"}},
		{"handshake", "handshake", []string{"handshake", "-conns", "32"}},
		{"idle", "idle", []string{"idle", "-conns", strconv.Itoa(idleConns())}},
	}
}

// idleConns is 10,000, or as many descriptors as a process may have less some
// that it needs for itself.
func idleConns() int {
	const want, spare = 10_000, 200
	return max(min(want, maxDescriptors()-spare), 1)
}
