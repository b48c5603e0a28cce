package djangoauth

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/wye-go/wye/protocol"
)

// python is the Python that has Debian's packages.
const python = "/usr/bin/python3"

// django is a Python process with Django's engine for signed cookies.
type django struct {
	mu  sync.Mutex
	in  io.Writer
	out *bufio.Scanner
	err *strings.Builder
}

// startDjango starts the process. It ends with the test.
func startDjango(tb testing.TB) *django {
	tb.Helper()
	if testing.Short() {
		tb.Skip("this test needs Django; go test without -short runs it")
	}
	cmd := exec.Command(python, "testdata/sessions.py")
	d := &django{err: new(strings.Builder)}
	cmd.Stderr = d.err
	in, err := cmd.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	d.in, d.out = in, bufio.NewScanner(out)
	if err := cmd.Start(); err != nil {
		tb.Fatalf("%v; install Django: apt-get install python3-django", err)
	}
	tb.Cleanup(func() {
		in.Close() // the process ends at the end of its input
		if err := cmd.Wait(); err != nil {
			tb.Errorf("Django: %v; install it: apt-get install python3-django\n%s", err, d.err)
		}
	})
	return d
}

// question is a line for sessions.py.
type question struct {
	Key        string         `json:"key"`
	Serializer string         `json:"serializer,omitempty"`
	Session    map[string]any `json:"session,omitempty"`
	At         int64          `json:"at,omitempty"`
	Cookie     string         `json:"cookie,omitempty"`
}

func (d *django) ask(tb testing.TB, q question, answer any) {
	tb.Helper()
	line, err := json.Marshal(q)
	if err != nil {
		tb.Fatal(err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, err := d.in.Write(append(line, '\n')); err != nil {
		tb.Fatalf("Django: %v", err)
	}
	if !d.out.Scan() {
		tb.Fatalf("Django has not answered: %v", d.out.Err())
	}
	if err := json.Unmarshal(d.out.Bytes(), answer); err != nil {
		tb.Fatalf("Django answered %s: %v", d.out.Bytes(), err)
	}
}

// cookie returns the cookie that Django makes of a session.
func (d *django) cookie(tb testing.TB, q question) (cookie string) {
	tb.Helper()
	d.ask(tb, q, &cookie)
	return cookie
}

// load returns the session that Django reads from a cookie that was made now.
func (d *django) load(tb testing.TB, key, cookie string) (session map[string]any) {
	tb.Helper()
	d.ask(tb, question{Key: key, Cookie: cookie}, &session)
	return session
}

// scope returns the scope of a handshake with these headers.
func scope(cookies ...string) *protocol.Scope {
	r := httptest.NewRequest(http.MethodGet, "/ws/", nil)
	for _, c := range cookies {
		r.Header.Add("Cookie", c)
	}
	return protocol.NewScope("websocket", r)
}

// line is the line of a table's row, as file and number.
type line string

func here() line {
	_, _, n, _ := runtime.Caller(1) //nolint:dogsled // only the line is wanted
	return line("line " + strconv.Itoa(n))
}
