package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/wye-go/wye/bench/internal/child"
	"github.com/wye-go/wye/bench/internal/load"
	"github.com/wye-go/wye/bench/internal/machine"
	"github.com/wye-go/wye/internal/redistest"
)

// bench is a run in progress.
type bench struct {
	options
	results

	temp   string // has the programs
	python string // the interpreter that has channels_redis
	redis  *redistest.Server
	cpus   machine.CPUs
	out    map[string]error // systems that cannot be measured
}

func newBench(ctx context.Context, o options) (_ *bench, err error) {
	b := &bench{options: o, out: make(map[string]error)}
	b.Conditions = newConditions(ctx, &o)
	if o.pin {
		if b.cpus, err = machine.TwoCores(); err != nil {
			return nil, err
		}
	}
	if b.dir, err = filepath.Abs(o.dir); err != nil {
		return nil, err
	}
	if b.temp, err = os.MkdirTemp("", "wye-nodes-"); err != nil {
		return nil, err
	}
	if b.redis, err = redistest.Start(redistest.Options{}); err != nil {
		return nil, errors.Join(err, os.RemoveAll(b.temp))
	}
	if err := b.build(ctx); err != nil {
		return nil, errors.Join(err, b.close())
	}
	return b, nil
}

// close ends the server. All other programs end with their run.
func (b *bench) close() error {
	b.redis.Close()
	return os.RemoveAll(b.temp)
}

func (b *bench) program(pkg string) string { return filepath.Join(b.temp, filepath.Base(pkg)) }

// build builds the programs and looks for Python. Systems that are not there are left out.
func (b *bench) build(ctx context.Context) error {
	for _, pkg := range []string{"./load", "./node", "./server"} {
		if err := child.Build(ctx, b.dir, pkg, b.program(pkg)); err != nil {
			return err
		}
	}
	for _, s := range systems {
		if len(b.systems) > 0 && !slices.Contains(b.systems, s.name) {
			continue
		}
		if err := b.prepare(ctx, s); err != nil {
			b.out[s.name] = err
			b.fail(s.title, err)
		}
	}
	b.Conditions.Versions["redis-server"] = redisVersion(ctx, b.redis)
	return nil
}

// prepare makes sure that there is what a system needs.
func (b *bench) prepare(ctx context.Context, s *system) error {
	if s.pkg == "" {
		return b.findPython(ctx)
	}
	if s.module == "" {
		return nil // Wye
	}
	err := child.Build(ctx, b.dir, s.pkg, b.program(s.pkg))
	if err == nil {
		b.Conditions.Versions[s.title] = machine.Version(b.program(s.pkg), s.module)
	}
	return err
}

// wants reports whether the flags choose a system and a size, and the system is there.
func (b *bench) wants(s *system, members int) bool {
	return b.out[s.name] == nil && (len(b.systems) == 0 || slices.Contains(b.systems, s.name)) &&
		(len(b.members) == 0 || slices.Contains(b.members, members))
}

// findPython looks for an interpreter that has channels_redis, once.
func (b *bench) findPython(ctx context.Context) error {
	if b.python != "" {
		return nil
	}
	const versions = "import channels, channels_redis, uvicorn, redis, sys;" +
		"print(channels_redis.__version__, channels.__version__, redis.__version__, uvicorn.__version__, sys.version.split()[0])"
	for _, python := range []string{"/usr/bin/python3", "python3"} {
		out, err := exec.CommandContext(ctx, python, "-c", versions).Output()
		if v := strings.Fields(string(out)); err == nil && len(v) == 5 {
			b.python = python
			b.Conditions.Versions["channels_redis"] = fmt.Sprintf("%s (channels %s, redis-py %s, uvicorn %s, Python %s)",
				v[0], v[1], v[2], v[3], v[4])
			return nil
		}
	}
	return errors.New("no Python with channels_redis and uvicorn: apt-get install -y python3-channels-redis python3-django-channels uvicorn")
}

// profile returns the flags with which a program of Wye writes a profile.
func (b *bench) profile(name string, sends bool) []string {
	if b.profiles == "" {
		return nil
	}
	if sends {
		name += "-sends"
	}
	return []string{"-cpuprofile", filepath.Join(b.profiles, strings.ReplaceAll(name, ":", "-")+".pprof")}
}

// fail notes that something could not be measured. The run goes on.
func (b *bench) fail(what string, err error) {
	text := what + ": " + err.Error()
	fmt.Fprintln(os.Stderr, "nodes:", text)
	b.Failures = append(b.Failures, text)
}

// limited reports whether a run has failed because the time of all runs is over, and notes it.
func (b *bench) limited(ctx context.Context) bool {
	if ctx.Err() == nil {
		return false
	}
	b.Stopped = true
	return true
}

// progressf tells what is done.
func progressf(format string, args ...any) {
	fmt.Fprintf(os.Stderr, time.Now().Format(time.TimeOnly)+" "+format+"\n", args...)
}

// pause waits. It returns an error if ctx ends first.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// redisCPU is what redis-server has used so far.
func (b *bench) redisCPU() (time.Duration, error) {
	p, err := load.ReadProcess(b.redis.PID())
	return p.CPU, err
}
