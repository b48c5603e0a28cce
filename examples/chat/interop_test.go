package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/wye-go/wye/examples/internal/exampletest"
)

// testClients has clients of three makes in one room.
func testClients(program exampletest.Program) func(*testing.T) {
	return func(t *testing.T) {
		t.Parallel()
		chat := program.Start(t)
		room, elsewhere := chat.WS("/ws/123/"), chat.WS("/ws/456/")
		node, python := startNode(t), startPython(t)
		scripts := []*script{node, python}

		gopher := exampletest.Dial(t, room, nil)
		eve := exampletest.Dial(t, elsewhere, nil)
		for _, s := range scripts {
			s.do("connect", room)
		}

		// said is heard by the gopher and by those who are there beside her.
		said := func(text string, there ...*script) {
			t.Helper()
			for _, s := range there {
				s.do("text", text)
			}
			gopher.WantText(text)
		}
		for _, text := range []string{
			"hello",
			"Grüße, 你好, שלום, 🙋🏽‍♀️, \u0000 and \U0010FFFF",
			"",
			strings.Repeat("0123456789", 10_000), // 100 KB
			strings.Repeat("привет🙂", 6_250), // 100 KB
		} {
			for _, s := range scripts {
				s.do("send", text)
				said(text, scripts...)
			}
			gopher.SendText(text)
			said(text, scripts...)
		}

		for _, s := range scripts {
			s.do("ping", "are you there?")
		}
		gopher.Ping("are you there?")

		// Who sends binary is out, and nobody else.
		for i, s := range scripts {
			s.do("binary", "00ff")
			s.do("closed", 1003)
			gopher.SendText("who is left?")
			said("who is left?", scripts[i+1:]...)
		}
		for i, s := range scripts {
			s.do("connect", room)
			gopher.SendText("welcome back")
			said("welcome back", scripts[:i+1]...)
		}

		for _, s := range scripts {
			s.do("refused", chat.WS("/ws/123"), 404, "did you mean the same with a slash at the end?")
			s.do("refused", chat.WS("/ws/a-b/"), 404, `nothing is served at "/ws/a-b/"`)
		}

		for i, s := range scripts {
			s.do("close", 1000)
			gopher.SendText("who is left?")
			said("who is left?", scripts[i+1:]...)
			s.end()
		}
		gopher.SendBinary([]byte{0, 255})
		gopher.WantClose(ws.StatusUnsupportedData)
		eve.SendText("did I miss anything?")
		eve.WantText("did I miss anything?") // she has heard nothing before
		eve.Close()
		chat.Terminate(t)
		chat.WantExit(t, 0, soon)
	}
}

// script is a client in another language. It takes one command at a time.
type script struct {
	t    *testing.T
	name string
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
	errs strings.Builder
}

const clients = "testdata/clients"

func startNode(t *testing.T) *script {
	t.Helper()
	module := filepath.Join(clients, "node_modules", "ws", "package.json")
	if _, err := os.Stat(module); err != nil {
		t.Fatalf("the npm module ws is not installed (%v); run `make deps`", err)
	}
	return startScript(t, "node", exampletest.Need(t, "node"), "ws.mjs")
}

func startPython(t *testing.T) *script {
	t.Helper()
	// The system's own Python: that is where the system's packages are.
	python := exampletest.Need(t, "/usr/bin/python3")
	if out, err := exec.Command(python, "-c", "import websockets").CombinedOutput(); err != nil {
		t.Fatalf("the Python package websockets is not installed (%v); run `make deps`\n%s", err, out)
	}
	return startScript(t, "python", python, "client.py")
}

func startScript(t *testing.T, name, interpreter, file string) *script {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute) // for all of it; then it is killed
	t.Cleanup(cancel)
	s := &script{t: t, name: name, cmd: exec.CommandContext(ctx, interpreter, filepath.Join(clients, file))}
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
		if s.cmd.ProcessState == nil { // not waited for by end
			_ = s.cmd.Process.Kill()
			_ = s.cmd.Wait()
		}
	})
	return s
}

// do has the client do something, and fails the test with the client's reason if
// that fails. The client sees to it that it does not take forever.
func (s *script) do(command ...any) {
	s.t.Helper()
	line, err := json.Marshal(command)
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := s.in.Write(append(line, '\n')); err != nil {
		s.t.Errorf("%s: %v", s.name, err)
	}
	s.answer(exampletest.Short(string(line)))
}

func (s *script) answer(to string) {
	s.t.Helper()
	var answer struct {
		Done string `json:"done"` // the command, or
		Why  string `json:"why"`  // what failed
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

// end is the end of the commands, at which the client must end well.
func (s *script) end() {
	s.t.Helper()
	s.in.Close()
	rest, err := io.ReadAll(s.out)
	if err := errors.Join(err, s.cmd.Wait()); err != nil {
		s.t.Fatalf("%s: %v\n%s%s", s.name, err, rest, &s.errs)
	}
}
