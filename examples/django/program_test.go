package main

import (
	"net"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestPortTaken: the port is checked before anything is started.
func TestPortTaken(t *testing.T) {
	t.Parallel()
	needsAll(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	code, out := failProgram(t, l.Addr().String())
	if code != 1 || !strings.Contains(out, "address already in use") || strings.Contains(out, "redis: ") {
		t.Errorf("on a port that is taken, the program exited with %d and wrote:\n%s", code, out)
	}
}

// TestPackagesMissing: the program says what to install.
func TestPackagesMissing(t *testing.T) {
	for _, row := range []struct {
		name, python, path, want string
	}{
		{"no Python", "/nonexistent/python3", "/usr/bin", "apt-get install python3-django python3-django-channels"},
		{"no redis-server", "/usr/bin/python3", "/nonexistent", "apt-get install redis-server"},
		// Without its site packages, Python has no module of Debian's.
		{"no Django", "testdata/bare-python", "/usr/bin", "apt-get install python3-django python3-django-channels python3-channels-redis python3-uvicorn\n"},
	} {
		t.Setenv("PATH", row.path)
		needsAll(t)
		code, out := failProgram(t, "127.0.0.1:0", "-python", row.python)
		if code != 1 || !strings.Contains(out, row.want) {
			t.Errorf("%s: the program exited with %d and wrote:\n%s", row.name, code, out)
		}
	}
}

// needsAll skips a test that needs Django, Redis and Chromium if the tests are short.
// Otherwise the test fails if one of them is missing.
func needsAll(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("this test needs Django and Redis; go test without -short runs it")
	}
}

// startAll starts the program, and waits until it serves.
func startAll(t *testing.T, args ...string) *process {
	t.Helper()
	needsAll(t)
	p := startProgram(t, args...)
	t.Cleanup(func() { // it removes its folder
		select {
		case <-p.exited:
		default:
			p.Terminate(t)
			p.WantExit(t)
		}
	})
	p.wantOutput(t, "django: open http://"+p.Addr+"/ ")
	return p
}

// wantOutput waits until the program has written text.
func (p *process) wantOutput(t *testing.T, text string) {
	t.Helper()
	timeout := time.After(2 * patience)
	for !strings.Contains(p.Output(), text) {
		select {
		case <-time.After(20 * time.Millisecond):
		case <-p.exited:
			t.Fatalf("the program has exited without writing %q:\n%s", text, p.Output())
		case <-timeout:
			t.Fatalf("the program has not written %q:\n%s", text, p.Output())
		}
	}
}

// pid returns the number of the latest process of a service.
func (p *process) pid(t *testing.T, service string) int {
	t.Helper()
	all := regexp.MustCompile(service+`: process (\d+): `).FindAllStringSubmatch(p.Output(), -1)
	if all == nil {
		t.Fatalf("there is no process of %s:\n%s", service, p.Output())
	}
	pid, err := strconv.Atoi(all[len(all)-1][1])
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// kill kills a service, and returns when the program has noticed.
func (p *process) kill(t *testing.T, service string) {
	t.Helper()
	defer p.wantOutput(t, service+": ended: signal: killed")
	killed, err := os.FindProcess(p.pid(t, service))
	if err != nil {
		t.Fatal(err)
	}
	if err := killed.Kill(); err != nil {
		t.Fatalf("killing %s: %v", service, err)
	}
}

// TestKilled: what the program has started ends with it, even if it is killed.
func TestKilled(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux ends the others")
	}
	t.Setenv("TMPDIR", t.TempDir()) // the folder stays there
	started := startAll(t)
	pids := []int{started.pid(t, "redis"), started.pid(t, "django")}
	if err := started.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-started.exited
	for _, pid := range pids {
		for end := time.Now().Add(patience); alive(t, pid); <-time.After(20 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("process %d is still alive", pid)
			}
		}
	}
}

// alive reports whether a process runs. A zombie, for which nobody waits, does not.
func alive(t *testing.T, pid int) bool {
	t.Helper()
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return false
	}
	_, state, _ := strings.Cut(string(stat), ") ")
	return state[0] != 'Z'
}

// TestNoRedis: a server that does not answer at the start.
func TestNoRedis(t *testing.T) {
	t.Parallel()
	needsAll(t)
	addr := freeAddr(t)
	code, out := failProgram(t, freeAddr(t), "-redis", "redis://"+addr)
	if code != 1 || !strings.Contains(out, addr) {
		t.Errorf("without the server, the program exited with %d and wrote:\n%s", code, out)
	}
}

// redisServer is a Redis server of the test.
type redisServer struct {
	t    *testing.T
	addr string
	stop func()
}

// startRedisServer starts a server on a free port.
func startRedisServer(t *testing.T) *redisServer {
	t.Helper()
	needsAll(t)
	r := &redisServer{t: t, addr: freeAddr(t)}
	r.start()
	t.Cleanup(func() { r.stop() })
	return r
}

// start starts the server, also again after stop, which kills it.
func (r *redisServer) start() {
	r.t.Helper()
	host, port, err := net.SplitHostPort(r.addr)
	if err != nil {
		r.t.Fatal(err)
	}
	server := exec.Command("redis-server", "--bind", host, "--port", port, "--save", "", "--dir", r.t.TempDir())
	if err := server.Start(); err != nil {
		r.t.Fatalf("%v: apt-get install redis-server", err)
	}
	r.stop = func() {
		_ = server.Process.Kill()
		_ = server.Wait()
	}
	for end := time.Now().Add(patience); ; <-time.After(20 * time.Millisecond) {
		conn, err := net.Dial("tcp", r.addr)
		if err == nil {
			conn.Close()
			return
		}
		if time.Now().After(end) {
			r.t.Fatalf("redis-server does not listen: %v", err)
		}
	}
}
