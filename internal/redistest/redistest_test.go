package redistest_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/wye-go/wye/internal/redistest"
	"github.com/wye-go/wye/internal/testkit"
)

func TestCommands(t *testing.T) {
	t.Parallel()
	if got := shared.CLI(t, "PING"); got != "PONG" {
		t.Errorf("PING is answered with %q", got)
	}
	shared.CLI(t, "RPUSH", "list", "a\r\nb", "")
	for _, row := range []struct {
		at   testkit.Line
		args []string
		want any
	}{
		{testkit.Here(), []string{"LLEN", "list"}, int64(2)},
		{testkit.Here(), []string{"LRANGE", "list", "0", "-1"}, []any{"a\r\nb", ""}},
		{testkit.Here(), []string{"LRANGE", "list", "5", "6"}, []any{}},
		{testkit.Here(), []string{"GET", "nothing"}, nil},
		{testkit.Here(), []string{"CONFIG", "GET", "save"}, []any{"save", ""}},
		{testkit.Here(), []string{"GET", "list"}, redistest.Error("WRONGTYPE Operation against a key holding the wrong kind of value")},
	} {
		got, err := shared.Do(t.Context(), row.args...)
		if e, ok := errors.AsType[redistest.Error](err); ok {
			got = e
		} else if err != nil {
			t.Fatalf("%s: %v", row.at, err)
		}
		if fmt.Sprintf("%#v", got) != fmt.Sprintf("%#v", row.want) {
			t.Errorf("%s: %q is answered with %#v, want %#v", row.at, row.args, got, row.want)
		}
	}
}

func TestSubscription(t *testing.T) {
	t.Parallel()
	c, err := shared.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Do(t.Context(), "SUBSCRIBE", "channel"); err != nil {
		t.Fatal(err)
	}
	shared.AwaitSubscribers(t, "channel", 1)
	shared.CLI(t, "PUBLISH", "channel", "hi")
	got, err := c.Receive(t.Context())
	if err != nil || redistest.Text(got) != "message\nchannel\nhi" {
		t.Errorf("the subscription has %q, %v", redistest.Text(got), err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	over := make(chan error)
	go func() {
		_, err := c.Receive(ctx)
		over <- err
	}()
	cancel()
	if err := testkit.Await(t, over, "the end of Receive"); err == nil {
		t.Error("a Receive that was ended has returned no error")
	}
}

func TestStopsAndStarts(t *testing.T) {
	t.Parallel()
	s := redistest.New(t, redistest.Options{})
	for name, end := range map[string]func(){"Stop": s.Stop, "Kill": s.Kill} {
		before := s.Addr()
		s.CLI(t, "SET", "key", "value")
		end()
		if nc, err := net.Dial("tcp", s.Addr()); err == nil {
			nc.Close()
			t.Errorf("%s: the server accepts connections", name)
		}
		if s.PID() != 0 {
			t.Errorf("%s: the server still has a process", name)
		}
		end()
		for range 2 {
			if err := s.Start(); err != nil {
				t.Fatal(err)
			}
		}
		if got := s.CLI(t, "GET", "key"); got != "" || s.Addr() != before {
			t.Errorf("%s: restarted on %s (was %s), the server still has %q", name, s.Addr(), before, got)
		}
	}
	s.Close()
	s.Close()
	if err := s.Start(); err == nil {
		t.Error("a closed server can be started")
	}
}

func TestFreezesAndThaws(t *testing.T) {
	t.Parallel()
	s := redistest.New(t, redistest.Options{})
	if err := s.Freeze(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := s.Do(ctx, "PING"); err == nil {
		t.Error("a frozen server answers")
	}
	if err := s.Thaw(); err != nil {
		t.Fatal(err)
	}
	s.CLI(t, "PING")
	if err := s.Freeze(); err != nil {
		t.Fatal(err)
	}
	s.Kill()
	if err := errors.Join(s.Freeze(), s.Thaw()); err == nil {
		t.Error("a server without a process can be frozen")
	}
}

// dialURL connects as a client does that knows only the URL, and sends commands.
func dialURL(t *testing.T, s *redistest.Server, rawURL string, commands ...string) string {
	t.Helper()
	u, err := url.Parse(rawURL)
	if err != nil {
		t.Fatal(err)
	}
	var nc net.Conn
	switch u.Scheme {
	case "redis":
		nc, err = net.Dial("tcp", u.Host)
	case "rediss":
		nc, err = tls.Dial("tcp", u.Host, s.TLSConfig())
	case "unix":
		nc, err = net.Dial("unix", u.Path)
	default:
		t.Fatalf("a URL with %q", u.Scheme)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if password, ok := u.User.Password(); ok {
		commands = append([]string{strings.Join(strings.Fields("AUTH "+u.User.Username()+" "+password), " ")}, commands...)
	}
	answer := ""
	r := bufio.NewReader(nc)
	for _, command := range commands {
		if _, err := fmt.Fprintf(nc, "%s\r\n", command); err != nil {
			t.Fatal(err)
		}
		if answer, err = r.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	return strings.TrimSpace(answer)
}

func TestURLs(t *testing.T) {
	t.Parallel()
	locked := redistest.New(t, redistest.Options{Password: "s3cret", ACL: []string{"reader on >r34d ~* &* +ping +get"}})
	secure := redistest.New(t, redistest.Options{TLS: true})
	other := redistest.New(t, redistest.Options{Host: "127.0.0.2", Config: []string{"databases 3"}})
	for _, row := range []struct {
		at      testkit.Line
		server  *redistest.Server
		url     string
		command string
		want    string
	}{
		{testkit.Here(), shared, shared.URL(), "PING", "+PONG"},
		{testkit.Here(), shared, shared.SocketURL(), "PING", "+PONG"},
		{testkit.Here(), locked, locked.URL(), "PING", "+PONG"},
		{testkit.Here(), locked, "redis://" + locked.Addr(), "PING", "-NOAUTH Authentication required."},
		{testkit.Here(), locked, locked.URLOf("reader", "r34d"), "PING", "+PONG"},
		{testkit.Here(), locked, locked.URLOf("reader", "r34d"), "SET a b", "-NOPERM"},
		{testkit.Here(), secure, secure.URL(), "PING", "+PONG"},
		{testkit.Here(), other, other.URL(), "SELECT 2", "+OK"},
		{testkit.Here(), other, other.URL(), "SELECT 3", "-ERR DB index is out of range"},
	} {
		if got := dialURL(t, row.server, row.url, row.command); !strings.HasPrefix(got, row.want) {
			t.Errorf("%s: %s is answered with %q, want %q", row.at, row.command, got, row.want)
		}
	}
	for _, s := range []*redistest.Server{locked, secure, other} {
		s.CLI(t, "SET", "key", "value")
	}
	if _, err := os.Stat(secure.CAFile()); err != nil {
		t.Error(err)
	}
}

func TestRefusesToStart(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		at      testkit.Line
		options redistest.Options
		want    string
	}{
		{testkit.Here(), redistest.Options{Config: []string{"nonsense yes"}}, "nonsense yes"},
	} {
		s, err := redistest.Start(row.options)
		if err == nil {
			s.Close()
			t.Errorf("%s: the server has started", row.at)
		} else if !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: the error is %v, which does not have %q", row.at, err, row.want)
		}
	}
}

func TestReplica(t *testing.T) {
	t.Parallel()
	master := redistest.New(t, redistest.Options{Password: "s3cret"})
	master.CLI(t, "SET", "key", "value")
	replica := redistest.New(t, redistest.Options{ReplicaOf: master})
	if got := replica.CLI(t, "GET", "key"); got != "value" {
		t.Errorf("the replica has %q", got)
	}
	if _, err := replica.Do(t.Context(), "SET", "key", "value"); err == nil {
		t.Error("the replica can be written to")
	}
}

func TestSentinel(t *testing.T) {
	t.Parallel()
	testkit.SkipLong(t, "Sentinels take seconds to know each other")
	st := redistest.NewSentinel(t, redistest.SentinelOptions{Server: redistest.Options{Password: "s3cret"}})
	first := st.Servers[0]
	if m, err := st.Master(t.Context()); err != nil || m != first {
		t.Fatalf("the master is %v, %v; want %v", m, err, first)
	}
	second, err := st.Failover(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	second.CLI(t, "SET", "key", "value")
	if err := first.Wait(t.Context(), "it is a replica", func(do redistest.Do) bool {
		return strings.HasPrefix(redistest.Text(do("ROLE")), "slave")
	}); err != nil {
		t.Fatal(err)
	}
	second.Kill()
	third, err := st.NewMaster(t.Context(), second)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(st.Servers, third) || len(st.Addrs()) != len(st.Sentinels) {
		t.Errorf("the master is %v", third)
	}
}

const held = "REDISTEST_HOLD"

// holdServer is another program, which a test runs: it starts a server, says which, and
// waits to be killed.
func holdServer() bool {
	if os.Getenv(held) == "" {
		return false
	}
	s := redistest.Must(redistest.Options{})
	fmt.Println(s.PID(), filepath.Dir(strings.TrimPrefix(s.SocketURL(), "unix://"))) //nolint:forbidigo // to the test
	select {}
}

// TestEndsWithItsParent kills the process that has started a server.
func TestEndsWithItsParent(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip("a process outlives its parent here: this needs Linux")
	}
	parent := exec.Command(os.Args[0])
	parent.Env = append(os.Environ(), held+"=1")
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	pidText, dir, _ := strings.Cut(strings.TrimSpace(line), " ")
	pid, atoiErr := strconv.Atoi(pidText)
	if err != nil || atoiErr != nil {
		t.Fatalf("the program says %q: %v", line, err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait()
	tick, late := time.NewTicker(10*time.Millisecond), time.NewTimer(time.Minute)
	defer tick.Stop()
	defer late.Stop()
	for runs(pid) {
		select {
		case <-tick.C:
		case <-late.C:
			child, err := os.FindProcess(pid)
			if err == nil {
				err = child.Kill()
			}
			t.Fatalf("the server has outlived its parent: %v", err)
		}
	}
}

// runs reports whether a process exists and is not a zombie, which another process has
// still to wait for.
func runs(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, state, _ := strings.Cut(string(b), ") ")
	return !strings.HasPrefix(state, "Z") && !strings.HasPrefix(state, "X")
}

// TestValkey starts Valkey, also as a Sentinel.
func TestValkey(t *testing.T) {
	t.Parallel()
	s := redistest.New(t, redistest.Options{Valkey: true})
	if info := s.CLI(t, "INFO", "server"); !strings.Contains(info, "valkey_version:") {
		t.Errorf("%s says that it is %s", s, info)
	}
	if info := shared.CLI(t, "INFO", "server"); strings.Contains(info, "valkey_version:") {
		t.Errorf("%s says that it is %s", shared, info)
	}
	st := redistest.NewSentinel(t, redistest.SentinelOptions{Server: redistest.Options{Valkey: true}, Replicas: 1})
	if info := st.Sentinels[0].CLI(t, "INFO", "server"); !strings.Contains(info, "valkey_version:") {
		t.Errorf("%s says that it is %s", st.Sentinels[0], info)
	}
}
