package soak

import (
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/wye-go/wye/bench/internal/child"
	"github.com/wye-go/wye/protocol/websocket"
)

// Endpoint is an address, and the engine of the connections to it.
type Endpoint struct {
	Addr   string
	Engine websocket.Engine
}

// ParseEndpoints reads what the server is started with: ADDRESS=ENGINE, separated by
// commas.
func ParseEndpoints(s string) (all []Endpoint, err error) {
	for part := range strings.SplitSeq(s, ",") {
		addr, name, ok := strings.Cut(part, "=")
		e := Endpoint{Addr: addr}
		if !ok {
			return nil, fmt.Errorf("%q: want ADDRESS=ENGINE", part)
		}
		if err := e.Engine.UnmarshalText([]byte(name)); err != nil {
			return nil, err
		}
		all = append(all, e)
	}
	return all, nil
}

// ParseEngines reads the flag -engine: auto, loop, goroutine, or mixed for a server of
// loops and one of goroutines.
func ParseEngines(s string) ([]websocket.Engine, error) {
	if s == "mixed" {
		return []websocket.Engine{websocket.EngineLoop, websocket.EngineGoroutine}, nil
	}
	var e websocket.Engine
	err := e.UnmarshalText([]byte(s))
	return []websocket.Engine{e}, err
}

// target is the process with the servers, seen from outside.
type target struct {
	process *child.Process
	addrs   []string
}

// start starts a server for each engine.
func start(ctx context.Context, program string, engines []websocket.Engine) (_ *target, err error) {
	t := new(target)
	var args []string
	for _, e := range engines {
		addr, err := child.FreeAddr(ctx)
		if err != nil {
			return nil, err
		}
		t.addrs = append(t.addrs, addr)
		args = append(args, addr+"="+e.String())
	}
	if t.process, err = child.Start(ctx, nil, program, "-serve", strings.Join(args, ",")); err != nil {
		return nil, err
	}
	for _, addr := range t.addrs {
		if err := t.process.Ready(ctx, addr); err != nil {
			return nil, errors.Join(err, t.process.Stop(true))
		}
	}
	if err := t.warmUp(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("the first connections: %w", err), t.process.Stop(true))
	}
	return t, nil
}

// addr returns the address of one of the servers.
func (t *target) addr() string { return t.addrs[rand.IntN(len(t.addrs))] }

// warmUp has the server start what it starts with the first connections, such as its
// loops, and waits until these have gone.
func (t *target) warmUp(ctx context.Context) error {
	const perLoop = 2
	for _, addr := range t.addrs {
		for range perLoop * runtime.NumCPU() {
			if err := live(ctx, addr, echoes); err != nil {
				return err
			}
		}
	}
	_, err := t.await(ctx, func(r *Report) bool { return r.Open == 0 })
	return err
}

// live has a peer live, and closes its connection.
func live(ctx context.Context, addr string, life life) error {
	p, err := connect(context.WithoutCancel(ctx), addr)
	if err != nil {
		return err
	}
	defer p.Close()
	return life(ctx, p)
}

// await asks for reports until one is as it should be, or time is up, and returns the last.
func (t *target) await(ctx context.Context, good func(*Report) bool) (rep Report, err error) {
	again := time.NewTicker(200 * time.Millisecond)
	defer again.Stop()
	for end := time.Now().Add(settle); ; <-again.C {
		if rep, err = t.report(ctx); err != nil || good(&rep) || time.Now().After(end) {
			return rep, err
		}
	}
}

// report asks the server for its Report.
func (t *target) report(ctx context.Context) (rep Report, err error) {
	err = t.get(ctx, reportPath, func(body io.Reader) error { return gob.NewDecoder(body).Decode(&rep) })
	return rep, err
}

// profile writes a profile of the server's heap to a file. It is of the last garbage
// collection, which a report has made.
func (t *target) profile(ctx context.Context, file string) error {
	return t.get(ctx, profilePath, func(body io.Reader) error {
		b, err := io.ReadAll(body)
		if err != nil {
			return err
		}
		return os.WriteFile(file, b, 0o600)
	})
}

// get asks the server, over a connection of its own that is gone afterwards.
func (t *target) get(ctx context.Context, path string, read func(io.Reader) error) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+t.addrs[0]+path, nil)
	if err != nil {
		return err
	}
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	return read(resp.Body)
}
