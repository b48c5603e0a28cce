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

	"github.com/wye-go/wye/bench/internal/child"
	"github.com/wye-go/wye/bench/internal/load"
)

// bench runs servers against the load generator and keeps the results.
type bench struct {
	options
	bin     string // where the programs are built
	cpus    cpus
	results results
}

// results has one result per round.
type results map[cell][]load.Result

// cell names a scenario and a server.
type cell struct{ scenario, server string }

// newBench builds all programs.
func newBench(ctx context.Context, opt options, svs []server) (*bench, error) {
	var missing []error
	for _, s := range svs {
		if info, err := os.Stat(filepath.Join(opt.dir, s.dir)); err != nil || !info.IsDir() {
			missing = append(missing, fmt.Errorf("server %s: there is no package %s", s.name, s.dir))
		}
	}
	if err := errors.Join(missing...); err != nil {
		return nil, err
	}
	bin, err := os.MkdirTemp("", "bench")
	if err != nil {
		return nil, err
	}
	b := &bench{options: opt, bin: bin, results: results{}}
	err = b.build(ctx, "./load")
	for _, s := range svs {
		if err == nil {
			err = b.build(ctx, s.dir)
		}
	}
	if err == nil && opt.pin {
		b.cpus, err = twoCPUs()
	}
	if err != nil {
		return nil, errors.Join(err, b.close())
	}
	return b, nil
}

func (b *bench) close() error { return os.RemoveAll(b.bin) }

func (b *bench) build(ctx context.Context, pkg string) error {
	return child.Build(ctx, b.dir, pkg, b.program(pkg))
}

func (b *bench) program(pkg string) string { return filepath.Join(b.bin, filepath.Base(pkg)) }

// rounds does all runs. From round to round another server goes first.
func (b *bench) rounds(ctx context.Context, svs []server, scs []scenario) error {
	for round := range b.options.rounds {
		first := round % len(svs)
		for _, sc := range scs {
			for _, s := range slices.Concat(svs[first:], svs[:first]) {
				if !s.plays(sc) {
					continue
				}
				r, err := b.measure(ctx, s, sc)
				if err != nil {
					return fmt.Errorf("%s, %s: %w", s.name, sc.name, err)
				}
				fmt.Fprintf(b.progress, "round %d, %s, %v\n", round+1, s.name, r)
				at := cell{sc.name, s.name}
				b.results[at] = append(b.results[at], r)
			}
		}
	}
	return nil
}

// measure starts a server, drives it, and stops it.
func (b *bench) measure(ctx context.Context, s server, sc scenario) (r load.Result, err error) {
	addr, err := child.FreeAddr(ctx)
	if err != nil {
		return r, err
	}
	args := append(slices.Clone(s.args), "-addr", addr)
	c, err := child.Start(ctx, b.cpus.server, b.program(s.dir), args...)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, c.Stop(err != nil)) }()
	if err := c.Ready(ctx, addr); err != nil {
		return r, err
	}
	args = append(slices.Clone(sc.args), "-json", "-url", s.mode+"://"+addr+s.path,
		"-pid", strconv.Itoa(c.PID()), "-duration", b.duration.String())
	out, err := b.drive(ctx, args)
	if err != nil {
		return r, err
	}
	err = json.Unmarshal(out, &r)
	return r, err
}

// drive runs the load generator and returns what it prints.
func (b *bench) drive(ctx context.Context, args []string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, b.program("./load"), args...)
	var out, diag bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &diag
	if err := child.Pinned(cmd.Start, b.cpus.load); err != nil {
		return nil, err
	}
	if err := cmd.Wait(); err != nil {
		return nil, fmt.Errorf("load generator: %w\n%s", err, diag.Bytes())
	}
	return out.Bytes(), nil
}
