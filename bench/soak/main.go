// Command soak runs Wye under honest and hostile peers at once, and fails unless every
// accepted connection was disconnected once and goroutines, descriptors and memory are
// back where they were.
//
//	go run ./soak -duration 10m
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

func run(ctx context.Context, args []string) (err error) {
	cfg := soak.Config{Progress: os.Stderr}
	f := flag.NewFlagSet("soak", flag.ContinueOnError)
	serve := f.String("serve", "", "be the server, on this `address`; the other flags do nothing then")
	f.DurationVar(&cfg.Duration, "duration", 10*time.Minute, "how long peers come")
	f.IntVar(&cfg.Rate, "rate", 200, "peers that come in a second")
	f.IntVar(&cfg.Idle, "idle", 500, "peers that stay all the time")
	if err := f.Parse(args); err != nil {
		return err
	}
	switch {
	case *serve != "":
		return soak.Serve(ctx, *serve)
	case cfg.Duration <= 0 || cfg.Rate <= 0 || cfg.Idle < 0 || f.NArg() > 0:
		return errors.New("a duration, a rate above 0, and no arguments are expected")
	}
	if cfg.Program, err = os.Executable(); err != nil {
		return err
	}
	result, err := soak.Run(ctx, cfg)
	fmt.Print(&result)
	return err
}
