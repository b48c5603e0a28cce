package main

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// clusterProcess is the program in folder cluster, which starts real servers. It ends with
// its standard input.
type clusterProcess struct {
	cmd  *exec.Cmd
	read chan struct{} // closed when all of its output has been read
	errs output

	mu    sync.Mutex
	lines []string
	parts map[string]part // by name
	moved chan struct{}   // closed, and replaced, when there are more lines
}

// part is a process of the cluster.
type part struct {
	url string
	pid int
}

// buildCluster builds the program of folder cluster into dir.
func buildCluster(dir string) (program string, err error) {
	program = filepath.Join(dir, "cluster.exe")
	cmd := exec.Command("go", "build", "-o", program, "./cluster")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build ./cluster: %w\n%s", err, out)
	}
	return program, nil
}

// startCluster starts the program of folder cluster, and returns when it has written a line
// that begins with last.
func startCluster(program, last string, args ...string) (c *clusterProcess, err error) {
	c = &clusterProcess{
		cmd: exec.Command(program, args...), read: make(chan struct{}), parts: make(map[string]part), moved: make(chan struct{}),
	}
	c.cmd.Env = append(os.Environ(), runMain+"=1", "GORACE=halt_on_error=1 atexit_sleep_ms=0") // for its nodes
	c.cmd.Stderr = &c.errs
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	go c.follow(out)
	if !c.await(func() bool { return strings.HasPrefix(c.lines[len(c.lines)-1], last) }, time.Minute) {
		c.stop()
		return nil, fmt.Errorf("the cluster did not start: %s%s", strings.Join(c.lines, "\n"), c.errs.String())
	}
	return c, nil
}

// follow reads the output, and closes read at its end.
func (c *clusterProcess) follow(out io.Reader) {
	defer close(c.read)
	for in := bufio.NewScanner(out); in.Scan(); {
		c.mu.Lock()
		c.lines = append(c.lines, in.Text())
		if f := strings.Fields(in.Text()); len(f) == 4 && f[2] == "pid" {
			pid, _ := strconv.Atoi(f[3]) //nolint:errcheck // the program has written a number
			c.parts[f[0]] = part{f[1], pid}
		}
		close(c.moved)
		c.moved = make(chan struct{})
		c.mu.Unlock()
	}
}

// await waits until ok, which is called with the lock held when there are lines, returns
// true.
func (c *clusterProcess) await(ok func() bool, timeout time.Duration) bool {
	late := time.After(timeout)
	for {
		c.mu.Lock()
		done, moved := len(c.lines) > 0 && ok(), c.moved
		c.mu.Unlock()
		if done {
			return true
		}
		select {
		case <-moved:
		case <-c.read:
			return false
		case <-late:
			return false
		}
	}
}

// part returns a process of the cluster, as it is now.
func (c *clusterProcess) part(name string) part {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.parts[name]
}

// stop ends the cluster with all of its processes.
func (c *clusterProcess) stop() {
	_ = c.cmd.Process.Signal(syscall.SIGTERM)
	late := time.AfterFunc(time.Minute, func() { _ = c.cmd.Process.Kill() })
	defer late.Stop()
	<-c.read
	_ = c.cmd.Wait()
}

// servers are PostgreSQL and Redis for all tests of a run. The first test that needs them
// starts them.
var servers sharedServers

type sharedServers struct {
	once    sync.Once
	err     error
	dir     string
	program string // the cluster's, for other tests too
	cluster *clusterProcess

	mu        sync.Mutex
	databases int
}

func (s *sharedServers) start() {
	if s.dir, s.err = os.MkdirTemp("", "chat-test"); s.err != nil {
		return
	}
	if s.program, s.err = buildCluster(s.dir); s.err != nil {
		return
	}
	s.cluster, s.err = startCluster(s.program, "redis ", "-nodes", "0", "-durable=false")
}

// stop stops the servers, if a test has started them.
func (s *sharedServers) stop() {
	if s.cluster != nil {
		s.cluster.stop()
	}
	if s.dir != "" {
		_ = os.RemoveAll(s.dir)
	}
}

// need starts the servers if they do not run. It skips the test in short runs.
func (s *sharedServers) need(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("this test needs PostgreSQL and Redis; go test without -short runs it")
	}
	s.once.Do(s.start)
	if s.err != nil {
		t.Fatal(s.err)
	}
}

// newDatabase returns the URL of a new database of PostgreSQL.
func newDatabase(t *testing.T) string {
	t.Helper()
	servers.need(t)
	servers.mu.Lock()
	servers.databases++
	name := fmt.Sprint("chat", servers.databases)
	servers.mu.Unlock()
	url := servers.cluster.part("postgres").url
	execIn(t, url, `CREATE DATABASE `+name)
	return strings.TrimSuffix(url, "postgres") + name
}

// execIn runs a statement in a database of PostgreSQL.
func execIn(t *testing.T, url, statement string) {
	t.Helper()
	db, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(context.WithoutCancel(t.Context()), statement); err != nil {
		t.Fatal(err)
	}
}
