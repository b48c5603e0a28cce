// Cluster runs the chat on several nodes of this machine: PostgreSQL, Redis, three
// processes of the chat and nginx in front of them, on free ports of the loopback
// interface. It ends them with Ctrl-C, and when its parent ends:
//
//	go run ./examples/chat/cluster
//
// It needs Debian's packages postgresql, redis-server and nginx. A process that ends by
// itself is started again, as a service manager does: kill one, and see what the page does.
// Data and logs are in a temporary folder, which is removed at the end.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"time"
)

// options are the flags.
type options struct {
	chat    string // the program
	nodes   int
	durable bool // PostgreSQL writes to the disk before it answers
}

func main() {
	var o options
	flag.StringVar(&o.chat, "chat", "", "the `program` of the chat; by default it is built")
	flag.IntVar(&o.nodes, "nodes", 3, "how many processes of the chat; 0 starts only PostgreSQL and Redis")
	flag.BoolVar(&o.durable, "durable", true, "stored messages survive a crash of the machine; false is faster")
	flag.Parse()
	if flag.NArg() > 0 || o.nodes < 0 {
		log.Fatalf("cluster: unexpected arguments %q; use the flags -nodes, -chat and -durable", flag.Args())
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	ctx, orphaned := context.WithCancel(ctx)
	go watchParent(ctx, orphaned)
	if err := run(ctx, os.Stdout, o); err != nil && ctx.Err() == nil {
		log.Print("cluster: ", err)
		os.Exit(1) //nolint:gocritic // stop only resets the signals
	}
}

// watchParent calls orphaned when the parent process has ended.
func watchParent(ctx context.Context, orphaned func()) {
	parent := os.Getppid()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for os.Getppid() == parent {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
	orphaned()
}

// cluster is the processes, in the order in which they start.
type cluster struct {
	options

	dir     string
	folders []string // others to remove
	out     io.Writer
	running []*service
}

// run starts everything, and stops it in the opposite order when ctx ends. A line about
// each process is written to out when it is ready.
func run(ctx context.Context, out io.Writer, o options) (err error) {
	c := &cluster{options: o, out: out}
	if c.dir, err = os.MkdirTemp("", "chat-cluster"); err != nil {
		return err
	}
	defer func() {
		for _, s := range slices.Backward(c.running) {
			s.end()
		}
		for _, folder := range append(c.folders, c.dir) {
			err = errors.Join(err, os.RemoveAll(folder))
		}
	}()
	front, err := c.start(ctx)
	if err != nil {
		return err
	}
	if front != "" {
		fmt.Fprintf(out, "open %s in two browsers; Ctrl-C ends everything\n", front)
	}
	<-ctx.Done()
	return nil
}

// start starts everything, and returns the URL of nginx, if there are nodes.
func (c *cluster) start(ctx context.Context) (front string, err error) {
	database, err := c.startPostgres(ctx)
	if err != nil {
		return "", err
	}
	redis, err := c.startRedis(ctx)
	if err != nil || c.nodes == 0 {
		return "", err
	}
	if c.chat == "" {
		if c.chat, err = c.build(ctx); err != nil {
			return "", err
		}
	}
	var nodes []string
	for i := range c.nodes {
		addr, err := freeAddr()
		if err != nil {
			return "", err
		}
		nodes = append(nodes, addr)
		if err := c.launch(ctx, &service{
			name: fmt.Sprintf("node-%d", i+1), url: "http://" + addr + "/", addr: addr, stop: syscall.SIGTERM,
			command: []string{c.chat, "-addr", addr, "-db", database, "-layer", redis, "-proxies", "127.0.0.1"},
		}); err != nil {
			return "", err
		}
	}
	return c.startNginx(ctx, nodes)
}

// build compiles the chat, whose folder is above the one of this file.
func (c *cluster) build(ctx context.Context) (program string, err error) {
	_, file, _, _ := runtime.Caller(0) //nolint:dogsled // the path of this file
	program = filepath.Join(c.dir, "chat.exe")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", program, ".") //nolint:gosec // a file of our own
	cmd.Dir = filepath.Dir(filepath.Dir(file))
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("the chat was not built, name its program with -chat: %w\n%s", err, out)
	}
	return program, nil
}

// launch starts a service, and keeps it running.
func (c *cluster) launch(ctx context.Context, s *service) error {
	s.log = filepath.Join(c.dir, s.name+".log")
	s.out = c.out
	c.running = append(c.running, s)
	return s.start(ctx)
}
