package main

import (
	"net"
	"path/filepath"

	"github.com/wye-go/wye/bench/internal/load"
)

// invocation is how a program is called.
type invocation struct {
	program string
	args    []string
	env     []string
}

// system is a layer that is measured.
type system struct {
	name, title string
	module      string // for its version
	pkg         string // the package of its Go program, or "" for Python

	layer   func(b *bench, sends bool) invocation // a node at the level of the layer; nil: none
	sockets func(b *bench, addr string) invocation
	dialect load.Dialect
	single  bool // through sockets it is one process
	stores  bool // its nodes are a node.Store
	plain   bool // and counting presences has to be chosen
	most    int  // the largest group at the level of the layer, if larger ones take too long
}

// systems are all that are measured.
var systems = []*system{
	{
		name: "wye", title: "Wye", pkg: "./server", stores: true,
		layer: func(b *bench, sends bool) invocation {
			args := append(b.profile("layer", sends), "-layer", b.redis.URL(), flagIf("-sends", sends))
			return invocation{program: b.program("./node"), args: args}
		},
		sockets: func(b *bench, addr string) invocation {
			args := append(b.profile("sockets"+addr, false), "-layer", b.redis.URL(), "-addr", addr)
			return invocation{program: b.program("./server"), args: args}
		},
	},
	{
		name: "wye-local", title: "Wye, one process", pkg: "./server", single: true,
		sockets: func(b *bench, addr string) invocation {
			return invocation{program: b.program("./server"), args: []string{"-addr", addr}}
		},
	},
	{
		name: "centrifuge", title: "centrifuge", pkg: "./peers/centrifuge", module: "github.com/centrifugal/centrifuge", dialect: load.Centrifuge,
		stores: true, plain: true,
		layer: func(b *bench, sends bool) invocation {
			return invocation{program: b.program("./peers/centrifuge"), args: []string{"-layer", b.redis.URL(), flagIf("-sends", sends)}}
		},
		sockets: func(b *bench, addr string) invocation {
			return invocation{program: b.program("./peers/centrifuge"), args: []string{"-layer", b.redis.URL(), "-addr", addr}}
		},
	},
	{
		name: "channels", title: "channels_redis, Pub/Sub",
		layer: func(b *bench, sends bool) invocation { return b.pythonNode("pubsub", sends) },
		sockets: func(b *bench, addr string) invocation {
			host, port, _ := net.SplitHostPort(addr) //nolint:errcheck // it was made from a host and a port
			return invocation{
				program: b.python, env: []string{"WYE_BENCH_LAYER=" + b.redis.URL()},
				args: []string{
					"-m", "uvicorn", "--app-dir", filepath.Join(b.dir, "peers", "channels"), "--host", host, "--port", port,
					"--log-level", "warning", "--ws", "websockets", "--ws-ping-interval", "3600", "app:application",
				},
			}
		},
	},
	{
		name: "channels-core", title: "channels_redis, core", most: 1000,
		layer: func(b *bench, sends bool) invocation { return b.pythonNode("core", sends) },
	},
}

func systemNames() []string {
	names := make([]string, 0, len(systems))
	for _, s := range systems {
		names = append(names, s.name)
	}
	return names
}

// flagIf returns a flag with a value.
func flagIf(name string, set bool) string {
	if set {
		return name
	}
	return name + "=false"
}

func (b *bench) pythonNode(backend string, sends bool) invocation {
	role := "receives"
	if sends {
		role = "sends"
	}
	return invocation{program: b.python, args: []string{filepath.Join(b.dir, "peers", "channels", "node.py"), backend, b.redis.URL(), role}}
}
