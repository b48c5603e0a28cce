package redis_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wye-go/wye/internal/redistest"
	"github.com/wye-go/wye/internal/testkit"
)

// python is the Python that has Django Channels: Debian's own. WYE_CHANNELS_PYTHON names
// another, for tests with another version of it.
func python() string {
	if path := os.Getenv("WYE_CHANNELS_PYTHON"); path != "" {
		return path
	}
	return "/usr/bin/python3"
}

const installChannels = "install what it needs with: apt-get install -y python3-django-channels python3-channels-redis python3-uvicorn (make deps does)"

// program is a Python program of testdata. It ends when its stdin is closed.
type program struct {
	name string
	in   io.WriteCloser
	out  *bufio.Reader
	err  testkit.Buffer
}

// startProgram starts a program for a test, which ends it. If the test fails, it shows what
// the program has written to stderr.
func startProgram(t *testing.T, name string, args ...string) *program {
	t.Helper()
	p := &program{name: name}
	cmd := exec.Command(python(), append([]string{"-B", "testdata/" + name}, args...)...)
	cmd.Stderr = &p.err
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.in, p.out = in, bufio.NewReader(out)
	if err := cmd.Start(); err != nil {
		t.Fatalf("%s cannot be started: %v; %s", name, err, installChannels)
	}
	t.Cleanup(func() {
		in.Close()
		_, _ = io.Copy(io.Discard, p.out)
		err := cmd.Wait()
		if t.Failed() {
			t.Logf("%s has ended: %v; it wrote:\n%s", name, err, p.err.String())
		}
	})
	return p
}

// readLine returns a line that the program has written.
func (p *program) readLine(t *testing.T) string {
	t.Helper()
	line, err := p.out.ReadString('\n')
	if err != nil {
		t.Fatalf("%s has ended (%v); it wrote:\n%s\n%s", p.name, err, p.err.String(), installChannels)
	}
	return strings.TrimSpace(line)
}

// django is a process of Django Channels with a layer of channels_redis: testdata/peer.py.
type django struct {
	*program

	servers []*redistest.Server
	prefix  string

	mu struct {
		sync.Mutex
		calls map[int]chan djangoReply
		err   error
	}
}

type djangoReply struct {
	ID     int    `json:"id"`
	Result any    `json:"result"`
	Error  string `json:"error"`
}

// startDjango starts a process with a layer of the backend "pubsub" or "core". config is
// CONFIG of CHANNEL_LAYERS, with these servers as its hosts.
func startDjango(t *testing.T, backend string, config fields, servers ...*redistest.Server) *django {
	t.Helper()
	d := &django{program: startProgram(t, "peer.py"), servers: servers, prefix: config["prefix"].(string)}
	d.mu.calls = map[int]chan djangoReply{}
	d.write(t, map[string]any{"backend": backend, "config": config})
	reading := make(chan struct{})
	go func() { defer close(reading); d.read() }()
	t.Cleanup(func() {
		d.in.Close()
		<-reading
	})
	t.Log(d.call(t, "versions"))
	return d
}

func (d *django) write(t *testing.T, v any) {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.in.Write(append(b, '\n')); err != nil {
		t.Fatalf("%s does not read: %v; it wrote:\n%s\n%s", d.name, err, d.err.String(), installChannels)
	}
}

// read gives replies to the calls that wait for them.
func (d *django) read() {
	for {
		line, err := d.out.ReadBytes('\n')
		var reply djangoReply
		if err == nil {
			err = json.Unmarshal(line, &reply)
		}
		d.mu.Lock()
		if err != nil {
			d.mu.err = err
			for id, call := range d.mu.calls {
				call <- djangoReply{ID: id, Error: fmt.Sprintf("the process has ended: %v. It wrote:\n%s", err, d.err.String())}
			}
			d.mu.Unlock()
			return
		}
		call := d.mu.calls[reply.ID]
		delete(d.mu.calls, reply.ID)
		d.mu.Unlock()
		call <- reply
	}
}

// start calls a method of the layer, and returns what the reply comes to.
func (d *django) start(t *testing.T, op string, args ...any) <-chan djangoReply {
	t.Helper()
	call := make(chan djangoReply, 1)
	d.mu.Lock()
	id := len(d.mu.calls)
	for d.mu.calls[id] != nil {
		id++
	}
	d.mu.calls[id] = call
	err := d.mu.err
	d.mu.Unlock()
	if err != nil {
		t.Fatalf("%s has ended: %v; it wrote:\n%s\n%s", d.name, err, d.err.String(), installChannels)
	}
	d.write(t, map[string]any{"id": id, "op": op, "args": args})
	return call
}

// call calls a method of the layer and returns its result as text.
func (d *django) call(t *testing.T, op string, args ...any) string {
	t.Helper()
	result, err := d.try(t, op, args...)
	if err != nil {
		t.Fatalf("Django: %s%q: %v", op, args, err)
	}
	return result
}

// try is call for what may raise an exception.
func (d *django) try(t *testing.T, op string, args ...any) (string, error) {
	t.Helper()
	reply := testkit.Await(t, d.start(t, op, args...), fmt.Sprintf("the reply to Django's %s%q", op, args))
	if reply.Error != "" {
		return "", fmt.Errorf("%s", reply.Error)
	}
	if reply.Result == nil {
		return "", nil
	}
	return fmt.Sprint(reply.Result), nil
}

// wantReceives waits until the channel of a Django consumer receives messages, which must
// be these Python expressions.
func (d *django) wantReceives(t *testing.T, at testkit.Line, channel string, want ...string) {
	t.Helper()
	for _, want := range want {
		if got := d.call(t, "receive", channel); got != want {
			t.Errorf("%s: Django receives %s, want %s", at, got, want)
		}
	}
}

// newChannel returns the channel of a new Django consumer.
func (d *django) newChannel(t *testing.T) (channel string) {
	t.Helper()
	channel = d.call(t, "new_channel")
	d.awaitSubscribers(t, channel, 1)
	return channel
}

// joins returns the channel of a new Django consumer that is a member of the groups.
func (d *django) joins(t *testing.T, groups ...string) (channel string) {
	t.Helper()
	channel = d.newChannel(t)
	for _, group := range groups {
		name := d.prefix + "__group__" + group
		before := d.subscribers(t, name)
		d.call(t, "group_add", group, channel)
		d.awaitSubscribers(t, name, before+1)
	}
	return channel
}

// awaitSubscribers waits until a channel of Redis has so many subscribers: redis-py does not
// wait for the answer to a SUBSCRIBE.
func (d *django) awaitSubscribers(t *testing.T, channel string, want int) {
	t.Helper()
	for end := time.Now().Add(time.Minute); d.subscribers(t, channel) < want; runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("%q has %d subscribers, want %d", channel, d.subscribers(t, channel), want)
		}
	}
}

func (d *django) subscribers(t *testing.T, channel string) (sum int) {
	t.Helper()
	for _, s := range d.servers {
		_, count, _ := strings.Cut(s.CLI(t, "PUBSUB", "NUMSUB", channel), "\n")
		n, err := strconv.Atoi(count)
		if err != nil {
			t.Fatal(err)
		}
		sum += n
	}
	return sum
}
