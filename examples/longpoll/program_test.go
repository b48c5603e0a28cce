package main

import (
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/protocol/websocket/websockettest"
)

// TestProgram tests the program in a process of its own.
func TestProgram(t *testing.T) {
	t.Parallel()
	t.Run("SIGTERM", testTerminate)
	t.Run("README", testReadme)
	t.Run("port taken", func(t *testing.T) { t.Parallel(); wantPortTaken(t) })
}

// testTerminate stops the program while clients poll.
func testTerminate(t *testing.T) {
	t.Parallel()
	chat := startProgram(t)
	var polls []<-chan websockettest.Answer
	for i := range 20 {
		uid := fmt.Sprint("user", i)
		// The later of the two polls ends the earlier one, and waits from then on.
		a, b := poll(t, chat, uid), poll(t, chat, uid)
		var first websockettest.Answer
		select {
		case first = <-a:
			polls = append(polls, b)
		case first = <-b:
			polls = append(polls, a)
		}
		want(t, "the poll before", first, http.StatusConflict, "a newer poll of this uid has taken over")
	}
	bob := websockettest.Dial(t, "ws://"+chat.Addr+"/ws/chat/?uid=bob", nil)
	chat.Terminate(t)
	for _, p := range polls {
		want(t, "a poll that waits", <-p, http.StatusGone, "1001 the server is shutting down")
	}
	bob.WantClosed(consumer.CloseGoingAway)
	chat.WantExit(t)
}

func poll(t *testing.T, chat *process, uid string) <-chan websockettest.Answer {
	t.Helper()
	answer := make(chan websockettest.Answer, 1)
	go func() { answer <- do(t, http.MethodGet, "http://"+chat.Addr+get(uid), "") }()
	return answer
}

var (
	blocks   = regexp.MustCompile("(?s)\n```console\n(.*?)\n```\n")
	commands = regexp.MustCompile(`^\$ curl(?: -d '([^']*)')? 'http://127\.0\.0\.1:8000(/[^']*)'$`)
)

// testReadme runs the commands of README.md, and compares their output with the
// README's.
func testReadme(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	chat := startProgram(t)
	done := 0
	for _, block := range blocks.FindAllStringSubmatch(string(text), -1) {
		for step := range strings.SplitSeq(strings.TrimPrefix(block[1], "$ "), "\n$ ") {
			command, said, _ := strings.Cut("$ "+step, "\n")
			args := commands.FindStringSubmatch(command)
			if args == nil {
				t.Fatalf("README.md: cannot do %s", command)
			}
			if got := curl(t, chat, args[2], args[1]); strings.TrimSpace(got) != strings.TrimSpace(said) {
				t.Errorf("README.md: %s: got %q, want %q", command, got, said)
			}
			done++
		}
	}
	if done < 5 {
		t.Errorf("README.md has %d commands that were tried", done)
	}
}

// curl makes the request that curl would make: with a form it is a POST.
func curl(t *testing.T, chat *process, path, form string) string {
	t.Helper()
	method := http.MethodGet
	if form != "" {
		method = http.MethodPost
	}
	return do(t, method, "http://"+chat.Addr+path, form).Body
}
