package matrix_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// clients has programs that speak WebSocket with libraries of other languages. They read
// commands, one line of JSON each, and answer each with "ok" or what went wrong.
//
// The code that drives them repeats that of examples/chat/interop_test.go on purpose: users copy
// the folder of the chat, so its tests cannot share a package with these.
const clients = "../../examples/chat/testdata/clients"

// script is a client that executes commands.
type script struct {
	t    *testing.T
	name string
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
	errs strings.Builder
}

func startNode(t *testing.T) *script {
	t.Helper()
	module := filepath.Join(clients, "node_modules", "ws", "package.json")
	if _, err := os.Stat(module); err != nil {
		t.Fatalf("the npm module ws is not installed (%v); run make deps", err)
	}
	return startScript(t, find(t, "node"), "ws.mjs")
}

func startPython(t *testing.T) *script {
	t.Helper()
	return startScript(t, find(t, "/usr/bin/python3"), "client.py")
}

// find returns the path of the first program that is installed.
func find(t *testing.T, names ...string) string {
	t.Helper()
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatalf("none of %q is installed; run make deps", names)
	return ""
}

func startScript(t *testing.T, interpreter, file string) *script {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute) // kills the client in the end
	t.Cleanup(cancel)
	s := &script{t: t, name: file, cmd: exec.CommandContext(ctx, interpreter, filepath.Join(clients, file))}
	s.cmd.Stderr = &s.errs
	in, err := s.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	s.in, s.out = in, bufio.NewReader(out)
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if s.cmd.ProcessState == nil { // end has not waited for it
			_ = s.cmd.Process.Kill()
			_ = s.cmd.Wait()
		}
	})
	return s
}

// close closes the connection.
func (s *script) close() { s.t.Helper(); s.do("close", 1000) }

// do executes a command, and fails the test with the client's reason if the command
// fails. The client has timeouts of its own.
func (s *script) do(command ...any) {
	s.t.Helper()
	line, err := json.Marshal(command)
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := s.in.Write(append(line, '\n')); err != nil {
		s.t.Errorf("%s: %v", s.name, err)
	}
	s.answer(fmt.Sprintf("%.200q", line))
}

func (s *script) answer(to string) {
	s.t.Helper()
	var answer struct {
		Done string `json:"done"` // the command
		Why  string `json:"why"`  // the reason of a failure
	}
	line, err := s.out.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &answer)
	}
	if err != nil || answer.Done == "" {
		_ = s.cmd.Wait()
		s.t.Fatalf("%s: %s: %s %v (%v)\n%s", s.name, to, answer.Why, err, s.cmd.ProcessState, &s.errs)
	}
}

// end closes the standard input of the client, which must exit with 0.
func (s *script) end() {
	s.t.Helper()
	s.in.Close()
	rest, err := io.ReadAll(s.out)
	if err := errors.Join(err, s.cmd.Wait()); err != nil {
		s.t.Fatalf("%s: %v\n%s%s", s.name, err, rest, &s.errs)
	}
}

// startPage returns the context of an empty page in Chromium.
func startPage(t *testing.T) context.Context {
	t.Helper()
	path := find(t, "chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "headless-shell")
	options := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(path),
		chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck,
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"),
	}
	for _, flag := range []string{
		"disable-quic", "disable-background-networking", "disable-component-update", "disable-sync", "disable-dev-shm-usage", "no-proxy-server",
	} {
		options = append(options, chromedp.Flag(flag, true))
	}
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	allocator, stop := chromedp.NewExecAllocator(ctx, options...)
	page, _ := chromedp.NewContext(allocator)
	t.Cleanup(func() {
		late := time.AfterFunc(20*time.Second, cancel) // kills the browser
		defer late.Stop()
		if err := chromedp.Cancel(page); err != nil { // closes it cleanly
			t.Errorf("closing the browser: %v", err)
		}
		stop()
		cancel()
	})
	if err := chromedp.Do(page); err != nil {
		t.Fatalf("starting %s: %v", path, err)
	}
	return page
}
