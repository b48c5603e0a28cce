// Command chat has many people talk over the chat of the examples, the whole
// program with its database, and fails unless what was acknowledged, what is
// stored and what each of them has received add up.
//
//	go run ./chat -people 1000 -rooms 50 -duration 1m
//	go run ./chat -nodes 3
//
// Run it in the bench directory.
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

	"github.com/wye-go/wye/bench/internal/chatload"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	err := run(ctx, os.Args[1:])
	stop()
	if errors.Is(err, flag.ErrHelp) {
		os.Exit(2)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "chat:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	cfg, err := parse(args)
	if err != nil {
		return err
	}
	result, err := chatload.Run(ctx, cfg)
	if result.Said > 0 {
		fmt.Print(result)
	}
	return err
}

// parse reads the flags.
func parse(args []string) (chatload.Config, error) {
	cfg := chatload.Config{Progress: os.Stderr}
	f := flag.NewFlagSet("chat", flag.ContinueOnError)
	f.StringVar(&cfg.Dir, "dir", ".", "the bench `directory`")
	f.IntVar(&cfg.Nodes, "nodes", 0, "of the chat, of which one is killed halfway; 0 is one process with a file")
	f.IntVar(&cfg.People, "people", 1000, "in all rooms together")
	f.IntVar(&cfg.Rooms, "rooms", 50, "rooms")
	f.DurationVar(&cfg.Duration, "duration", time.Minute, "how long they talk")
	f.DurationVar(&cfg.Every, "every", 2*time.Second, "from one message of a person to the next, on average")
	f.IntVar(&cfg.Named, "named", 100, "people with a name, who drop their connections and come back; the others are guests")
	f.IntVar(&cfg.Lines, "lines", 30, "guests who talk in lines of text; the others talk JSON")
	f.BoolVar(&cfg.Race, "race", false, "build the chat with the race detector")
	if err := f.Parse(args); err != nil {
		return cfg, err
	}
	if cfg.Nodes > 0 {
		cfg.Named, cfg.Lines = cfg.People, 0
	}
	if f.NArg() > 0 {
		return cfg, fmt.Errorf("unexpected argument %q", f.Arg(0))
	}
	return cfg, nil
}
