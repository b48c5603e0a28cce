// Command run builds servers, drives each of them with the load generator
// through all scenarios and prints what a message costs them in CPU time, as a
// markdown table.
//
//	go run ./run -servers floor,wye -rounds 3 -duration 3s
//
// Every figure is from a server process of its own that has served nothing
// else. Within a round the servers take turns in each scenario, so that what
// slows the machine down for a while slows all of them down. Run it in the
// bench directory.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	err := run(ctx)
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
	duration time.Duration
	pin      bool
	progress io.Writer // gets a line per run
}

func run(ctx context.Context) (err error) {
	opt := options{progress: os.Stderr}
	names := flag.String("servers", "floor,wye", "comma-separated: "+strings.Join(nameList(servers), ", "))
	plays := flag.String("scenarios", "", "comma-separated, all if empty: "+strings.Join(nameList(scenarios()), ", "))
	flag.StringVar(&opt.dir, "dir", ".", "the bench `directory`")
	flag.IntVar(&opt.rounds, "rounds", 3, "runs of each server in each scenario")
	flag.DurationVar(&opt.duration, "duration", 3*time.Second, "of each run; 2s or more, since CPU times are read in steps of 10 ms")
	flag.BoolVar(&opt.pin, "pin", true, "give the server one core and the load generator another")
	flag.Parse()
	if flag.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flag.Arg(0))
	}
	if opt.rounds < 1 {
		return fmt.Errorf("%d rounds", opt.rounds)
	}
	svs, err := pick(servers, *names)
	if err != nil {
		return err
	}
	scs, err := pick(scenarios(), *plays)
	if err != nil {
		return err
	}
	b, err := newBench(ctx, opt, svs)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	if err := b.rounds(ctx, svs, scs); err != nil {
		return err
	}
	return report(os.Stdout, b.results, svs, scs)
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
		return all, nil
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
		return nil, fmt.Errorf("no %q among %s", name, strings.Join(nameList(all), ", "))
	}
	return some, nil
}
