package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"time"

	"github.com/wye-go/wye/bench/internal/child"
	"github.com/wye-go/wye/bench/internal/load"
	"github.com/wye-go/wye/bench/internal/machine"
)

// room is a number of connections in one room, the publisher included, and how many messages
// are under way.
type room struct{ members, depth int }

// rooms are those of the runs through sockets. Half of the members are at each node.
func rooms() []room { return []room{{2, 1}, {100, 1}, {100, 16}, {10_000, 1}} }

func (b *bench) socketRound(ctx context.Context, round int) {
	for _, z := range rooms() {
		for _, s := range systems {
			if s.sockets == nil || !b.wants(s, z.members) || ctx.Err() != nil {
				continue
			}
			if s.name == "channels" && z.members > 1000 && round > 0 {
				continue // opening so many connections takes half a minute
			}
			r, err := b.runSockets(ctx, s, z)
			if err != nil && !b.limited(ctx) {
				b.fail(fmt.Sprintf("%s, %d members through sockets", s.title, z.members), err)
			}
			if err != nil {
				continue
			}
			progressf("round %d, sockets, %s: %v; nodes %.0f ns, redis %.0f ns", round+1, s.name, r.Result, r.nodesNs(), r.redisNs())
			b.Sockets = append(b.Sockets, *r)
		}
	}
}

// runSockets does one run.
func (b *bench) runSockets(ctx context.Context, s *system, z room) (_ *socketResult, err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	if err := machine.Pin(b.redis.PID(), b.cpus.Server); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, machine.Pin(b.redis.PID(), machine.AllCores())) }()
	n := 2
	if s.single {
		n = 1
	}
	servers, addrs, err := b.startServers(ctx, s, n)
	defer func() {
		for _, p := range servers {
			err = errors.Join(err, p.Stop(false))
		}
	}()
	if err != nil {
		return nil, err
	}
	d := b.duration
	if z.members > 1000 {
		d *= 3 // there are few messages
	}
	args := []string{
		string(load.Room), "-json", "-members", strconv.Itoa(z.members), "-window", strconv.Itoa(z.depth), "-duration", d.String(),
		"-url", "ws://" + addrs[0], "-pid", strconv.Itoa(servers[0].PID()),
	}
	if s.dialect != "" {
		args = append(args, "-dialect", string(s.dialect))
	}
	for i := range servers[1:] {
		args = append(args, "-other", "ws://"+addrs[i+1], "-other-pid", strconv.Itoa(servers[i+1].PID()))
	}
	return b.drive(ctx, s, append(args, "-other-pid", strconv.Itoa(b.redis.PID())))
}

// startServers starts n nodes. It returns those that it has started, also with an error.
func (b *bench) startServers(ctx context.Context, s *system, n int) (servers []*child.Process, addrs []string, err error) {
	for range n {
		addr, err := child.FreeAddr(ctx)
		if err != nil {
			return servers, addrs, err
		}
		i := s.sockets(b, addr)
		p, err := child.StartWith(ctx, i.env, b.cpus.Server, i.program, i.args...)
		if err != nil {
			return servers, addrs, err
		}
		servers, addrs = append(servers, p), append(addrs, addr)
	}
	for i, p := range servers {
		if err := p.Ready(ctx, addrs[i]); err != nil {
			return servers, addrs, errors.Join(err, p.Stop(true))
		}
	}
	return servers, addrs, nil
}

// drive runs the load generator.
func (b *bench) drive(ctx context.Context, s *system, args []string) (*socketResult, error) {
	cmd := exec.CommandContext(ctx, b.program("./load"), args...)
	var out, diag bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &diag
	if err := child.Pinned(cmd.Start, b.cpus.Load); err != nil {
		return nil, err
	}
	if err := cmd.Wait(); err != nil {
		return nil, fmt.Errorf("load generator: %w\n%s", err, diag.Bytes())
	}
	r := &socketResult{System: s.name}
	err := json.Unmarshal(out.Bytes(), &r.Result)
	if err == nil && r.Messages == 0 {
		err = errors.New("no message has arrived in the time")
	}
	return r, err
}
