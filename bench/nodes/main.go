// Command nodes measures groups that are spread over two nodes, which are processes, with
// one Redis between them: Wye's beside those of Django Channels (channels_redis) and of
// centrifuge, at the level of the layer and through sockets, and the histories and presences
// of Wye beside those of centrifuge. It prints a report in Markdown.
//
//	go run ./nodes                  # everything, under ten minutes
//	go run ./nodes -quick           # about two minutes
//	go run ./nodes -write           # and write NODES.md
//	go run ./nodes -systems wye -parts layer -members 100 -profiles /tmp
//
// It starts redis-server on a free port, and ends it and all other programs. Within a round
// the systems take turns. Run it in the bench directory.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	err := command(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "nodes:", err)
		os.Exit(1)
	}
}

// options are what a run needs.
type options struct {
	dir      string
	rounds   int
	duration time.Duration
	limit    time.Duration
	systems  []string // all if empty
	parts    []string
	members  []int // all if empty
	profiles string
	pin      bool
}

// flags are the rest of the command line.
type flags struct {
	systems, parts, members string
	save, from              string
	quick, write            bool
}

const allParts = "layer,sockets,groups,stored"

func parse() (o options, f flags, err error) {
	flag.StringVar(&o.dir, "dir", ".", "the bench `directory`")
	flag.IntVar(&o.rounds, "rounds", 3, "runs of each system in each case")
	flag.DurationVar(&o.duration, "duration", time.Second, "of each measurement")
	flag.DurationVar(&o.limit, "limit", 9*time.Minute, "of all together: then the report is about what there is")
	flag.StringVar(&f.systems, "systems", "", "comma-separated; all if empty: "+strings.Join(systemNames(), ", "))
	flag.StringVar(&f.parts, "parts", allParts, "comma-separated")
	flag.StringVar(&f.members, "members", "", "comma-separated sizes of the groups; all if empty")
	flag.StringVar(&o.profiles, "profiles", "", "write CPU profiles of Wye's nodes to this `directory`; of several rounds, the last")
	flag.BoolVar(&o.pin, "pin", true, "through sockets, give the load generator a core and all others another one")
	flag.BoolVar(&f.quick, "quick", false, "one round")
	flag.BoolVar(&f.write, "write", false, "write the report to NODES.md")
	flag.StringVar(&f.save, "save", "", "write all results to this `file`, as JSON")
	flag.StringVar(&f.from, "from", "", "report what -save has written to this `file`, and measure nothing")
	flag.Parse()
	if f.quick {
		o.rounds = 1
	}
	o.parts = strings.Split(f.parts, ",")
	if f.systems != "" {
		o.systems = strings.Split(f.systems, ",")
	}
	for s := range strings.SplitSeq(f.members, ",") {
		if s == "" {
			continue
		}
		n, err := strconv.Atoi(s)
		if err != nil {
			return o, f, fmt.Errorf("-members %q: %w", f.members, err)
		}
		o.members = append(o.members, n)
	}
	err = o.check()
	return o, f, err
}

func (o *options) check() error {
	for _, s := range o.systems {
		if !slices.Contains(systemNames(), s) {
			return fmt.Errorf("there is no system %q: want some of %s", s, strings.Join(systemNames(), ", "))
		}
	}
	for _, p := range o.parts {
		if !slices.Contains(strings.Split(allParts, ","), p) {
			return fmt.Errorf("there is no part %q: want some of %s", p, allParts)
		}
	}
	if flag.NArg() > 0 || o.rounds < 1 || o.duration <= 0 {
		return fmt.Errorf("%d rounds of %v, unexpected arguments %q", o.rounds, o.duration, flag.Args())
	}
	return nil
}

func command(ctx context.Context) error {
	o, f, err := parse()
	if err != nil {
		return err
	}
	var res *results
	if f.from != "" {
		res, err = loadResults(f.from)
	} else {
		res, err = measure(ctx, o)
	}
	if res == nil {
		return err
	}
	if f.save != "" {
		err = errors.Join(err, res.save(f.save))
	}
	text := res.markdown()
	if f.write {
		file := filepath.Join(o.dir, "NODES.md")
		return errors.Join(err, os.WriteFile(file, []byte(text), 0o644)) //nolint:gosec // everybody may read it
	}
	_, printErr := os.Stdout.WriteString(text)
	return errors.Join(err, printErr)
}

// measure does all parts.
func measure(ctx context.Context, o options) (*results, error) {
	ctx, cancel := context.WithTimeout(ctx, o.limit)
	defer cancel()
	b, err := newBench(ctx, o)
	if err != nil {
		return nil, err
	}
	for i := range o.rounds {
		if slices.Contains(o.parts, "layer") {
			b.layerRound(ctx, i)
		}
		if slices.Contains(o.parts, "sockets") {
			b.socketRound(ctx, i)
		}
		if slices.Contains(o.parts, "groups") {
			b.groupRound(ctx, i)
		}
		if slices.Contains(o.parts, "stored") {
			b.storedRound(ctx, i)
		}
	}
	return &b.results, b.close()
}
