package main

import (
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"testing"

	"github.com/wye-go/wye/protocol/websocket/websockettest"
)

// startProgramAt starts the program on addr and returns when it listens.
func startProgramAt(t *testing.T, addr string, args ...string) *process {
	t.Helper()
	p := launch(t, addr, args)
	if !p.await(t, true) {
		t.Fatalf("the program exited instead of listening on %s: %v\n%s", addr, p.cmd.ProcessState, p.Output())
	}
	return p
}

// Kill ends the program as a crash does, and waits until it has exited.
func (p *process) Kill(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatalf("SIGKILL: %v", err)
	}
	p.wait(t, patience)
}

// HTTP returns the URL of path at the program.
func (p *process) HTTP(path string) string { return fmt.Sprintf("http://%s%s", p.Addr, path) }

// WS returns the WebSocket URL of path at the program.
func (p *process) WS(path string) string { return fmt.Sprintf("ws://%s%s", p.Addr, path) }

// do makes one HTTP request on a connection of its own.
func do(t *testing.T, method, url, body string) websockettest.Answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := (&http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       patience,
	}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	return websockettest.Answer{Status: resp.StatusCode, Header: resp.Header, Body: string(got)}
}

// findProgram returns the path of the first program in names that is installed. It
// skips the test in short runs, and fails it if none is installed.
func findProgram(t *testing.T, names ...string) string {
	t.Helper()
	if testing.Short() {
		t.Skipf("this test needs %s; go test without -short runs it", names[0])
	}
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatalf("%s is not installed; install it, or use go test -short", strings.Join(names, " or "))
	return ""
}
