// Command soak runs Wye under honest and hostile peers at once, and fails unless every
// accepted connection was disconnected once and goroutines, descriptors and memory are
// back where they were.
//
//	go run ./soak -duration 10m
//	go run ./soak -crowd 15000 -engine loop
//
// The peers connect to two servers in one process, one for each of Wye's engines, unless
// -engine says otherwise. With -crowd, it has many connections be idle, talk all at once, and
// be idle again, and fails unless the live heap is within a tenth of what it was, and
// goroutines and descriptors are what they were.
//
// It serves and attacks loopback addresses only.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/wye-go/wye/bench/internal/soak"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	err := run(ctx, os.Args[1:])
	stop()
	if errors.Is(err, flag.ErrHelp) {
		os.Exit(2)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

// flags are those of the command line.
type flags struct {
	serve, engine string
	crowd         int
	profiles      string
	cfg           soak.Config
}

func parse(args []string) (f flags, err error) {
	set := flag.NewFlagSet("soak", flag.ContinueOnError)
	set.StringVar(&f.serve, "serve", "", "be the server, on these `addresses`; the other flags do nothing then")
	set.StringVar(&f.engine, "engine", "mixed", "what runs the connections: auto, loop, goroutine, or mixed, which is the last two")
	set.IntVar(&f.crowd, "crowd", 0, "have that many connections talk at once, and nothing else")
	set.StringVar(&f.profiles, "profiles", "", "a `directory` for profiles of the crowd's heap; GODEBUG=memprofilerate=512 makes them exact")
	set.DurationVar(&f.cfg.Duration, "duration", 10*time.Minute, "how long peers come")
	set.IntVar(&f.cfg.Rate, "rate", 200, "peers that come in a second")
	set.IntVar(&f.cfg.Idle, "idle", 500, "peers that stay all the time")
	if err := set.Parse(args); err != nil {
		return f, err
	}
	if f.cfg.Duration <= 0 || f.cfg.Rate <= 0 || f.cfg.Idle < 0 || f.crowd < 0 || set.NArg() > 0 {
		return f, errors.New("a duration, a rate above 0, and no arguments are expected")
	}
	return f, nil
}

func run(ctx context.Context, args []string) error {
	f, err := parse(args)
	if err != nil {
		return err
	}
	if f.serve != "" {
		endpoints, err := soak.ParseEndpoints(f.serve)
		if err != nil {
			return err
		}
		return soak.Serve(ctx, endpoints)
	}
	engines, err := soak.ParseEngines(f.engine)
	if err != nil {
		return err
	}
	program, err := os.Executable()
	if err != nil {
		return err
	}
	if f.crowd > 0 {
		c := soak.Crowd{Program: program, Engines: engines, Conns: f.crowd, Talks: talks, Profiles: f.profiles, Progress: os.Stderr}
		result, err := c.Run(ctx)
		fmt.Print(&result)
		return verdict(err)
	}
	f.cfg.Program, f.cfg.Engines, f.cfg.Progress = program, engines, os.Stderr
	result, err := soak.Run(ctx, f.cfg)
	fmt.Print(&result)
	return verdict(err)
}

// talks is how often a crowd talks.
const talks = 3

// verdict says whether all was well; the error says what was not.
func verdict(err error) error {
	if err != nil {
		fmt.Println("\nFAILED")
		return err
	}
	fmt.Println("\nPASSED")
	return nil
}
