// Command load drives a WebSocket echo server, checks every answer and prints
// what a message costs.
//
//	load echo -url ws://127.0.0.1:9001 -conns 100 -size 64 -depth 16 -pid 4711
//	load room -url ws://127.0.0.1:9001 -members 1000 -window 16
//	load idle -url ws://127.0.0.1:9001 -conns 10000
//	load handshake -url ws://127.0.0.1:9001 -conns 32
//	load paced -url ws://127.0.0.1:9001 -path /sleep -rate 10000 -sleep-every 100
//	load echo -url tcp://127.0.0.1:9001
//
// The paths /echo, /room/bench and /member/bench are appended to the URL; one
// that starts with tcp:// means raw bytes, with no WebSocket around them. Given
// the server's -pid it also prints the server's CPU time and memory.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/wye-go/wye/bench/internal/load"
	"github.com/wye-go/wye/bench/internal/probe"
)

const deflateUsage = "offer permessage-deflate, and send compressed messages"

const scenarios = "echo, room, paced, idle or handshake"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if errors.Is(err, flag.ErrHelp) {
		os.Exit(2)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	cfg, asJSON, err := parse(args)
	if err != nil {
		return err
	}
	result, err := load.Run(ctx, cfg)
	if err != nil {
		return err
	}
	if asJSON {
		return json.NewEncoder(out).Encode(result)
	}
	_, err = fmt.Fprintln(out, result)
	return err
}

// parse reads the scenario and the flags that it knows.
func parse(args []string) (cfg load.Config, asJSON bool, err error) {
	if len(args) == 0 {
		return cfg, false, errors.New("which scenario: " + scenarios + "?")
	}
	cfg.Scenario = load.Scenario(args[0])
	f := flag.NewFlagSet("load "+args[0], flag.ContinueOnError)
	f.StringVar(&cfg.URL, "url", "ws://127.0.0.1:9001", "the server; tcp:// for raw bytes, wss:// for idle -hello")
	f.DurationVar(&cfg.Warmup, "warmup", 500*time.Millisecond, "time before anything is measured")
	f.DurationVar(&cfg.Duration, "duration", 3*time.Second, "time measured; CPU times want 2s or more")
	f.IntVar(&cfg.PID, "pid", 0, "the server's process, to read its CPU time and memory")
	f.StringVar(&cfg.Probe, "probe", "", "the `file` in the server's variable "+probe.Env+": it collects its garbage when it is idle")
	f.BoolVar(&asJSON, "json", false, "print one JSON object")
	switch cfg.Scenario {
	case load.Echo:
		f.IntVar(&cfg.Conns, "conns", 100, "connections")
		f.IntVar(&cfg.Size, "size", 64, "payload `bytes`")
		f.IntVar(&cfg.Depth, "depth", 1, "messages under way per connection")
		f.StringVar((*string)(&cfg.Data), "data", string(load.ASCII), "the payload's text: ascii, chinese or json")
		f.StringVar(&cfg.Path, "path", "", "what they ask for; /echo if empty")
		f.BoolVar(&cfg.Deflate, "deflate", false, deflateUsage)
	case load.Room:
		f.IntVar(&cfg.Conns, "members", 1000, "connections in the room, the publisher included")
		f.IntVar(&cfg.Size, "size", 64, "payload `bytes`")
		f.IntVar(&cfg.Depth, "window", 1, "messages under way")
		f.StringVar((*string)(&cfg.Data), "data", string(load.ASCII), "the payload's text: ascii, chinese or json")
		f.BoolVar(&cfg.Deflate, "deflate", false, deflateUsage)
		f.StringVar(&cfg.Path, "path", "", "what the publisher asks for; /room/bench if empty")
		f.StringVar((*string)(&cfg.Dialect), "dialect", string(load.Plain), "what is around the messages: plain or centrifuge")
		f.Func("other-pid", "another process, whose CPU time is read; may be repeated", func(s string) error {
			pid, err := strconv.Atoi(s)
			cfg.OtherPIDs = append(cfg.OtherPIDs, pid)
			return err
		})
		f.Func("other", "the `URL` of another server with the same room, for a part of the members; may be repeated", func(url string) error {
			cfg.Others = append(cfg.Others, url)
			return nil
		})
	case load.Paced:
		f.IntVar(&cfg.Conns, "conns", 200, "connections")
		f.IntVar(&cfg.Size, "size", 64, "payload `bytes`")
		f.IntVar(&cfg.Rate, "rate", 10000, "messages per second")
		f.IntVar(&cfg.SleepEvery, "sleep-every", 0, "which messages have a mark that lets the callback sleep; 0 means none")
		f.StringVar(&cfg.Path, "path", "/sleep", "what they ask for")
	case load.Idle:
		f.IntVar(&cfg.Conns, "conns", 10000, "connections")
		f.StringVar(&cfg.Path, "path", "", "what they ask for; /echo if empty")
		f.BoolVar(&cfg.Hello, "hello", false, "each sends a message and receives the answer before it is idle")
		f.BoolVar(&cfg.Deflate, "deflate", false, deflateUsage)
	case load.Handshake:
		f.IntVar(&cfg.Conns, "conns", 32, "connections at a time")
	default:
		return cfg, false, fmt.Errorf("unknown scenario %q: want "+scenarios, args[0])
	}
	if err := f.Parse(args[1:]); err != nil {
		return cfg, false, err
	}
	if f.NArg() > 0 {
		return cfg, false, fmt.Errorf("unexpected argument %q", f.Arg(0))
	}
	return cfg, asJSON, nil
}
