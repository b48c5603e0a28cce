package main

import (
	"slices"
	"strconv"

	"github.com/wye-go/wye/bench/internal/load"
	"github.com/wye-go/wye/bench/internal/machine"
	"github.com/wye-go/wye/bench/internal/stats"
)

// server is a program to measure.
type server struct {
	name   string
	title  string   // for the report
	dir    string   // its package, relative to the bench directory
	args   []string // followed by those of the scenario, -addr and an address
	build  []string // more of the go command's environment
	module string   // whose version the report shows
	mode   string   // ws, or tcp for a server that echoes bytes
	ours   bool     // it is Wye
	extra  bool     // it is measured only if it is named
}

// baseline is the server that the others are compared with.
const baseline = "floor"

// The names of Wye's engines in the list of servers.
const (
	loopEngine      = "wye-loop"
	goroutineEngine = "wye-goroutine"
)

// newestGo lets the go command build a module that needs a newer Go than this one.
var newestGo = []string{"GOWORK=off", "GOTOOLCHAIN=go1.27.3"}

var servers = []*server{
	{name: baseline, title: "floor", dir: "./floor", mode: "ws"},
	{name: loopEngine, title: "Wye, loop", dir: "./server", args: []string{"-engine", "loop"}, mode: "ws", ours: true},
	{name: goroutineEngine, title: "Wye, goroutine", dir: "./server", args: []string{"-engine", "goroutine"}, mode: "ws", ours: true},
	{name: "fib", title: "fib", dir: "./peers/fib", build: newestGo, module: "github.com/lesismal/fib", mode: "ws"},
	{name: "nbio", title: "nbio", dir: "./peers/nbio", module: "github.com/lesismal/nbio", mode: "ws"},
	{name: "gobwas", title: "gobwas", dir: "./peers/gobwas", module: "github.com/gobwas/ws", mode: "ws"},
	{name: "gws", title: "gws", dir: "./peers/gws", module: "github.com/lxzan/gws", mode: "ws"},
	{name: "gorilla", title: "gorilla", dir: "./peers/gorilla", module: "github.com/gorilla/websocket", mode: "ws"},
	{name: "coder", title: "coder", dir: "./peers/coder", module: "github.com/coder/websocket", mode: "ws"},
	{name: "wye", title: "Wye, auto", dir: "./server", mode: "ws", ours: true, extra: true},
	{name: "floor-raw", title: "floor, raw TCP", dir: "./floor", args: []string{"-raw"}, mode: "tcp", extra: true},
}

func (s *server) key() string { return s.name }

// peer tells whether the server is of another library.
func (s *server) peer() bool { return !s.ours && s.name != baseline && s.mode == "ws" }

// plays tells whether the server can take part in a scenario.
func (s *server) plays(sc *scenario) bool {
	if len(sc.only) > 0 {
		return slices.Contains(sc.only, s.name)
	}
	return s.mode == "ws" || sc.kind() == load.Echo && sc.path == ""
}

// table is the part of the report that a scenario belongs to.
type table int

const (
	costs       table = iota // CPU time per message, or per connection
	memory                   // bytes per idle connection
	pauses                   // latencies while some callbacks sleep
	scaling                  // one core and two
	compression              // CPU time and bytes on the wire, with permessage-deflate and without
)

// scenario is a way to use a server.
type scenario struct {
	name, title string
	table       table
	args        []string // of the load generator
	only        []string // servers; all if it is empty
	serverArgs  []string
	env         []string // of the server
	path        string   // what the connections ask for, if it is not the scenario's usual path
	spread      bool     // server and load generator may run on any core
	goal        float64  // what Wye wants to reach: times the floor, or bytes. 0 means no goal
	goroutine   float64  // the same for Wye's goroutine engine, where it differs
}

func (s *scenario) key() string { return s.name }

func (s *scenario) kind() load.Scenario { return load.Scenario(s.args[0]) }

// often tells whether the scenario is part of every round. The others, whose figures vary
// less, or are not about the floor, are part of the first rounds.
func (s *scenario) often() bool { return s.table == costs }

// rare is in how many rounds scenarios are that are not in all.
const rare = 3

var (
	eventServers = []string{baseline, loopEngine, goroutineEngine, "wye"}
	engineRows   = []string{loopEngine, goroutineEngine, "wye"}
	tlsServers   = []string{goroutineEngine, "fib", "gobwas", "gws", "gorilla", "coder"}
	pauseServers = []string{loopEngine, goroutineEngine, "wye", "fib", "nbio", "gws"}
	scaleServers = []string{loopEngine, goroutineEngine, "wye", "fib", "gws"}
	// deflateServers can compress.
	deflateServers = []string{loopEngine, goroutineEngine, "gws", "gorilla", "coder"}
)

func scenarios() []*scenario {
	return slices.Concat(costScenarios(), memoryScenarios(), pauseScenarios(), scalingScenarios(), compressionScenarios())
}

func costScenarios() []*scenario {
	echo := func(size, depth string, more ...string) []string {
		return append([]string{"echo", "-conns", "100", "-size", size, "-depth", depth}, more...)
	}
	room := func(members int, window string) []string {
		return []string{"room", "-members", strconv.Itoa(members), "-size", "64", "-window", window}
	}
	return []*scenario{
		{name: "echo", title: "echo 64 B", args: echo("64", "1"), goal: 1.10},
		{name: "echo-d16", title: "echo 64 B, 16 in flight", args: echo("64", "16"), goal: 1.25},
		{name: "echo-16k", title: "echo 16 KiB ASCII", args: echo("16384", "1"), goal: 1.20},
		{name: "echo-16k-zh", title: "echo 16 KiB Chinese", args: echo("16384", "1", "-data", "chinese"), goal: 1.60},
		{name: "room", title: "room of 1000", args: room(1000, "1"), goal: 1.10},
		{name: "room-w16", title: "room of 1000, 16 in flight", args: room(1000, "16"), goal: 0.90},
		{name: "events", title: "the same room, typed events", args: room(1000, "1"), path: "/events/bench", only: eventServers, goal: 1.50},
		{
			name: "events-w16", title: "typed events, 16 in flight", args: room(1000, "16"),
			path: "/events/bench", only: eventServers,
		},
		{name: "room-10k", title: "room of " + stats.Count(float64(many())), args: room(many(), "1"), goal: 1.10},
		{name: "handshake", title: "connect, upgrade, close", args: []string{"handshake", "-conns", "32"}, goal: 1.60},
	}
}

func memoryScenarios() []*scenario {
	idle := func(conns int) []string { return []string{"idle", "-hello", "-conns", strconv.Itoa(conns)} }
	return []*scenario{
		{name: "idle", title: "in a group", table: memory, args: idle(many()), path: "/member/bench", goal: 1024},
		{
			name: "idle-tls", title: "in a group, over TLS", table: memory, args: idle(min(many(), 3000)), path: "/member/bench",
			only: tlsServers, serverArgs: []string{"-tls"}, goroutine: 9 << 10,
		},
		{
			name: "idle-func", title: "in a group, a function consumer", table: memory, args: idle(min(many(), 5000)),
			path: "/func/bench", only: engineRows, goal: 5 << 10,
		},
	}
}

func pauseScenarios() []*scenario {
	paced := func(every string) []string {
		return []string{"paced", "-conns", "200", "-rate", "10000", "-warmup", "1s", "-sleep-every", every}
	}
	return []*scenario{
		{name: "paced", title: "no callback sleeps", table: pauses, args: paced("0"), path: "/sleep", only: pauseServers},
		{name: "paced-sleep", title: "1 % of callbacks sleep 100 ms", table: pauses, args: paced("100"), path: "/sleep", only: pauseServers},
	}
}

func scalingScenarios() (scs []*scenario) {
	for _, work := range []struct{ name, title, path string }{{"echo", "echo 64 B", ""}, {"work", "30 us of work", "/work"}} {
		for _, procs := range []string{"1", "2"} {
			scs = append(scs, &scenario{
				name: "scale-" + work.name + "-p" + procs, title: work.title + ", GOMAXPROCS=" + procs, table: scaling,
				args: []string{"echo", "-conns", "100"}, path: work.path, only: scaleServers,
				env: []string{"GOMAXPROCS=" + procs}, spread: true,
			})
		}
	}
	return scs
}

// deflations are how the scenarios of compression are compressed: a suffix of their names, the
// words of the report, and the flag of the server. The first is not.
var deflations = []struct{ suffix, title, flag string }{
	{"", "no", ""},
	{"-plain", "no takeover", "-deflate=no-takeover"},
	{"-takeover", "takeover", "-deflate"},
}

func compressionScenarios() (scs []*scenario) {
	works := []struct {
		name, title string
		args        []string
	}{
		{"json-1k", "echo 1 KiB JSON", []string{"echo", "-conns", "100", "-size", "1024", "-data", "json"}},
		{"json-16k", "echo 16 KiB JSON", []string{"echo", "-conns", "100", "-size", "16384", "-data", "json"}},
		{"json-room", "room of 1000, 512 B JSON", []string{"room", "-members", "1000", "-size", "512", "-data", "json"}},
	}
	for _, work := range works {
		for _, d := range deflations {
			sc := &scenario{name: work.name + d.suffix, title: work.title, table: compression, args: work.args, only: deflateServers}
			if d.flag != "" {
				sc.serverArgs = []string{d.flag}
				sc.args = append(slices.Clone(sc.args), "-deflate")
			}
			scs = append(scs, sc)
		}
	}
	return scs
}

// many is 10,000, or as many descriptors as a process may have less some
// that it needs for itself.
func many() int {
	const want, spare = 10_000, 200
	return max(min(want, machine.MaxDescriptors()-spare), 1)
}
