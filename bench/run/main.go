// Command run builds servers, drives each of them with the load generator through all
// scenarios, and prints what they need, as Markdown.
//
//	go run ./run                                          # the whole table, about 17 minutes
//	go run ./run -quick                                   # about 6 minutes
//	go run ./run -write                                   # and write RESULTS.md and results/
//	go run ./run -servers floor,wye-loop -scenarios echo  # some of it
//
// Every figure is from a server process of its own that has served nothing else. Within a
// round the servers take turns in each scenario, so that what slows the machine down for
// a while slows all of them down. A server that cannot be built is left out, and the
// report says why. Run it in the bench directory.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	err := command(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "run:", err)
		os.Exit(1)
	}
}

// options are the flags that a bench needs.
type options struct {
	dir      string
	rounds   int
	rare     int // rounds of the scenarios that are not part of every round
	duration time.Duration
	limit    time.Duration // of all runs together
	profiles string        // a directory for CPU profiles of Wye's servers, or empty
	pin      bool
	progress io.Writer // gets a line per run
}

// flags are the rest of the command line.
type flags struct {
	servers, scenarios string
	from, save         string
	quick, write       bool
}

func parse() (opt options, f flags, err error) {
	opt.progress = os.Stderr
	flag.StringVar(&f.servers, "servers", "", "comma-separated; the usual ones if empty: "+strings.Join(nameList(servers), ", "))
	flag.StringVar(&f.scenarios, "scenarios", "", "comma-separated; all if empty: "+strings.Join(nameList(scenarios()), ", "))
	flag.StringVar(&opt.dir, "dir", ".", "the bench `directory`")
	flag.IntVar(&opt.rounds, "rounds", 5, "runs of each server in each scenario; at most 3 of those about memory, pauses and scaling")
	flag.DurationVar(&opt.duration, "duration", time.Second, "of each run; the split of CPU times needs 1s or more")
	flag.DurationVar(&opt.limit, "limit", 40*time.Minute, "of all runs together: then the report is about what there is")
	flag.StringVar(&opt.profiles, "profiles", "", "write a CPU profile of each run of Wye to this `directory`; of several rounds, the last")
	flag.BoolVar(&opt.pin, "pin", true, "give the server one core and the load generator another")
	flag.BoolVar(&f.quick, "quick", false, "two rounds, and one of those about memory, pauses and scaling")
	flag.BoolVar(&f.write, "write", false, "write the report to RESULTS.md, and its plots to results/")
	flag.StringVar(&f.save, "save", "", "write the results of all runs to this `file`, as JSON")
	flag.StringVar(&f.from, "from", "", "report what -save has written to this `file`, and measure nothing")
	flag.Parse()
	opt.rare = min(opt.rounds, rare)
	if f.quick {
		opt.rounds, opt.rare = 2, 1
	}
	switch {
	case flag.NArg() > 0:
		err = fmt.Errorf("unexpected argument %q", flag.Arg(0))
	case opt.rounds < 1 || opt.duration <= 0:
		err = fmt.Errorf("%d rounds of %v", opt.rounds, opt.duration)
	}
	return opt, f, err
}

func command(ctx context.Context) error {
	opt, f, err := parse()
	if err != nil {
		return err
	}
	var res *results
	if f.from != "" {
		res, err = loadResults(f.from)
	} else {
		res, err = measure(ctx, opt, f)
	}
	if err != nil {
		return err
	}
	if f.save != "" {
		if err := res.save(f.save); err != nil {
			return err
		}
	}
	if f.write {
		return write(opt.dir, res)
	}
	_, err = os.Stdout.WriteString(newReport(res).markdown(false))
	return err
}

// measure does all runs that the flags choose.
func measure(ctx context.Context, opt options, f flags) (_ *results, err error) {
	svs, err := pick(servers, f.servers)
	if err != nil {
		return nil, err
	}
	if f.servers == "" {
		svs = slices.DeleteFunc(svs, func(s *server) bool { return s.extra })
	}
	scs, err := pick(scenarios(), f.scenarios)
	if err != nil {
		return nil, err
	}
	b, err := newBench(ctx, opt, svs)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	if err := b.rounds(ctx, scs); err != nil {
		return nil, err
	}
	return &b.results, nil
}

// named is a row of one of the two tables.
type named interface{ key() string }

func nameList[T named](all []T) []string {
	names := make([]string, 0, len(all))
	for _, v := range all {
		names = append(names, v.key())
	}
	return names
}

// pick returns the rows named in a comma-separated list, all if it is empty.
func pick[T named](all []T, list string) ([]T, error) {
	if list == "" {
		return slices.Clone(all), nil
	}
	var some []T
next:
	for name := range strings.SplitSeq(list, ",") {
		for _, v := range all {
			if v.key() == name {
				some = append(some, v)
				continue next
			}
		}
		return nil, fmt.Errorf("there is no %q: want some of %s", name, strings.Join(nameList(all), ", "))
	}
	return some, nil
}
