package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wye-go/wye/bench/internal/child"
	"github.com/wye-go/wye/bench/internal/load"
	"github.com/wye-go/wye/bench/internal/machine"
	"github.com/wye-go/wye/bench/internal/probe"
)

// longest is how long a run may take beyond its duration: connecting 10,000 times, a
// warm-up, the last answers, and the server's end.
const longest = 45 * time.Second

// bench runs servers against the load generator and keeps the results.
type bench struct {
	options
	servers []*server // that could be built
	bin     string    // where the programs are built
	cpus    machine.CPUs
	results results
}

// newBench builds all programs. A server that cannot be built is left out; without any,
// and without the load generator, there is nothing to measure.
func newBench(ctx context.Context, opt options, svs []*server) (*bench, error) {
	bin, err := os.MkdirTemp("", "bench")
	if err != nil {
		return nil, err
	}
	b := &bench{options: opt, bin: bin}
	if err := b.prepare(ctx, svs); err != nil {
		return nil, errors.Join(err, b.close())
	}
	return b, nil
}

func (b *bench) prepare(ctx context.Context, svs []*server) (err error) {
	b.results = results{LeftOut: map[string]string{}, Conditions: newConditions(ctx, b.options)}
	if err := b.build(ctx, &server{dir: "./load"}); err != nil {
		return err
	}
	var failed []error
	for _, s := range svs {
		if err := b.build(ctx, s); err != nil {
			failed = append(failed, fmt.Errorf("server %s: %w", s.name, err))
			b.results.LeftOut[s.name] = b.firstLines(err)
			fmt.Fprintf(b.progress, "%s is left out: %v\n", s.name, err)
			continue
		}
		b.servers = append(b.servers, s)
		if v := machine.Version(b.program(s.dir), s.module); v != "" {
			b.results.Conditions.Versions[s.name] = v
		}
	}
	if len(b.servers) == 0 {
		return errors.Join(failed...)
	}
	if b.pin {
		b.cpus, err = machine.TwoCores()
	}
	return err
}

// firstLines returns the start of an error that may have many lines, on one, without the
// directory of the programs.
func (b *bench) firstLines(err error) string {
	const lines = 4
	all := strings.Split(strings.TrimSpace(strings.ReplaceAll(err.Error(), b.bin+string(filepath.Separator), "")), "\n")
	return strings.Join(all[:min(len(all), lines)], "; ")
}

func (b *bench) close() error { return os.RemoveAll(b.bin) }

// build builds a server, unless another one with the same program has been built. One with
// an environment of its own is a module of its own, and is built there.
func (b *bench) build(ctx context.Context, s *server) error {
	if _, err := os.Stat(b.program(s.dir)); err == nil {
		return nil
	}
	if info, err := os.Stat(filepath.Join(b.dir, s.dir)); err != nil || !info.IsDir() {
		return fmt.Errorf("there is no package %s", s.dir)
	}
	if len(s.build) > 0 {
		return child.BuildWith(ctx, s.build, filepath.Join(b.dir, s.dir), ".", b.program(s.dir))
	}
	return child.Build(ctx, b.dir, s.dir, b.program(s.dir))
}

func (b *bench) program(pkg string) string { return filepath.Join(b.bin, filepath.Base(pkg)) }

// rounds does all runs. From round to round another server goes first. A run that fails is
// part of the results.
func (b *bench) rounds(ctx context.Context, scs []*scenario) error {
	plan := b.plan(scs)
	began := time.Now()
	for i, p := range plan {
		if time.Since(began) > b.limit {
			b.results.Stopped = fmt.Sprintf("after %v, before %d of %d runs", b.limit, len(plan)-i, len(plan))
			return nil
		}
		r, err := b.measure(ctx, p.server, p.scenario)
		if ctx.Err() != nil {
			return errors.Join(ctx.Err(), err)
		}
		o := outcome{Round: p.round, Scenario: p.scenario.name, Server: p.server.name, Result: r}
		said := r.String()
		if err != nil {
			o.Error = b.firstLines(err)
			said = "FAILED: " + err.Error()
		}
		b.results.Runs = append(b.results.Runs, o)
		left := time.Since(began) / time.Duration(i+1) * time.Duration(len(plan)-i-1)
		fmt.Fprintf(b.progress, "%d/%d, %v left: round %d, %s, %s: %s\n",
			i+1, len(plan), left.Round(time.Second), p.round, p.server.name, p.scenario.name, said)
	}
	return nil
}

// planned is a run that is to be done.
type planned struct {
	round    int
	scenario *scenario
	server   *server
}

// plan lists the runs in their order.
func (b *bench) plan(scs []*scenario) (plan []planned) {
	for round := range b.options.rounds {
		first := round % len(b.servers)
		for _, sc := range scs {
			if round >= b.rare && !sc.often() {
				continue
			}
			for _, s := range slices.Concat(b.servers[first:], b.servers[:first]) {
				if s.plays(sc) {
					plan = append(plan, planned{round + 1, sc, s})
				}
			}
		}
	}
	return plan
}

// measure starts a server, drives it, and stops it.
func (b *bench) measure(ctx context.Context, s *server, sc *scenario) (r load.Result, err error) {
	ctx, cancel := context.WithTimeout(ctx, b.duration+longest)
	defer cancel()
	addr, err := child.FreeAddr(ctx)
	if err != nil {
		return r, err
	}
	on := b.cpus
	if sc.spread {
		on = machine.CPUs{}
	}
	file := filepath.Join(b.bin, "probe")
	env := append([]string{probe.Env + "=" + file}, sc.env...)
	c, err := child.StartWith(ctx, env, on.Server, b.program(s.dir), b.serverArgs(s, sc, addr)...)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, c.Stop(err != nil)) }()
	if err := c.Ready(ctx, addr); err != nil {
		return r, err
	}
	args := append(slices.Clone(sc.args), "-json", "-url", s.scheme(sc)+"://"+addr,
		"-pid", strconv.Itoa(c.PID()), "-duration", b.duration.String())
	if sc.path != "" {
		args = append(args, "-path", sc.path)
	}
	if sc.table == memory {
		args = append(args, "-probe", file)
	}
	out, err := b.drive(ctx, on, args)
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(out, &r); err != nil {
		return r, err
	}
	if r.Messages == 0 && sc.kind() != load.Idle {
		return r, errors.New("no message was answered in the time that is measured: the machine is too busy, or the server has stopped")
	}
	return r, nil
}

// serverArgs returns the arguments of a server.
func (b *bench) serverArgs(s *server, sc *scenario, addr string) []string {
	args := slices.Concat(s.args, sc.serverArgs, []string{"-addr", addr})
	if s.ours && b.profiles != "" {
		args = append(args, "-cpuprofile", filepath.Join(b.profiles, sc.name+"-"+s.name+".pprof"))
	}
	return args
}

func (s *server) scheme(sc *scenario) string {
	if slices.Contains(sc.serverArgs, "-tls") {
		return "wss"
	}
	return s.mode
}

// drive runs the load generator and returns what it prints.
func (b *bench) drive(ctx context.Context, on machine.CPUs, args []string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, b.program("./load"), args...)
	var out, diag bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &diag
	if err := child.Pinned(cmd.Start, on.Load); err != nil {
		return nil, err
	}
	if err := cmd.Wait(); err != nil {
		return nil, fmt.Errorf("load generator: %w\n%s", err, diag.Bytes())
	}
	return out.Bytes(), nil
}
