package main

import (
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/protocol/websocket/websockettest"
)

// TestProgram tests the program in a process of its own.
func TestProgram(t *testing.T) {
	t.Parallel()
	t.Run("restart", testRestart)
	t.Run("silent connection", testSilent)
	t.Run("crash", testCrash)
	t.Run("end under load", testEnd)
	t.Run("page", testServed)
	t.Run("no database", testNoDatabase)
	t.Run("second", testSecond)
	t.Run("wrong", testWrong)
	t.Run("ended at the start", testEndedAtTheStart)
	t.Run("port taken", func(t *testing.T) { t.Parallel(); wantPortTaken(t, db(t)...) })
}

// db returns the arguments for a new database.
func db(t *testing.T) []string {
	t.Helper()
	return []string{"-db", filepath.Join(t.TempDir(), "chat.db")}
}

// testRestart stops the program with many connections, and starts it again at the same
// address.
func testRestart(t *testing.T) {
	t.Parallel()
	file := db(t)
	chat := startProgram(t, file...)
	people := make([]*websockettest.Client, 30)
	for i := range people {
		people[i] = websockettest.Dial(t, chat.WS("/ws/123/"), nil)
	}
	people[0].SendText("hello")
	for _, p := range people {
		line := p.Text()
		for !strings.HasSuffix(line, ": hello") { // joins come before it
			line = p.Text()
		}
	}

	chat.Terminate(t)
	for _, p := range people {
		if reason := skipToClosed(t, p, consumer.CloseGoingAway); reason != "the server is shutting down" {
			t.Errorf("closed with the reason %q", reason)
		}
	}
	chat.WantExit(t)

	again := startProgramAt(t, chat.Addr, file...)
	ann := websockettest.Dial(t, again.WS("/ws/123/"), nil)
	if greeting := ann.Text(); !strings.HasSuffix(greeting, " in room 123, alone.") {
		t.Errorf("the greeting is %q", greeting)
	}
	if line := ann.Text(); !strings.HasSuffix(line, ": hello") {
		t.Errorf("the history begins with %q", line)
	}
	ann.Close(consumer.CloseNormal, "")
	again.Terminate(t)
	again.WantExit(t)
}

// skipToClosed skips text until the server closes the connection, and returns the
// reason.
func skipToClosed(t *testing.T, c *websockettest.Client, code consumer.CloseCode) (reason string) {
	t.Helper()
	f := c.Next()
	for f.First == websockettest.FIN|websockettest.OpText {
		f = c.Next()
	}
	got, reason := f.Status()
	if f.First != websockettest.FIN|websockettest.OpClose || got != code {
		t.Fatalf("got %v, want a close with %d", f, code)
	}
	c.Send(websockettest.Close(code, ""))
	c.WantEnd()
	return reason
}

// testServed checks what the program serves.
func testServed(t *testing.T) {
	t.Parallel()
	chat := startProgram(t, db(t)...)
	for path, status := range map[string]int{"/": 200, "/room/123/": 200, "/me": 204, "/room/a%20b/": 404, "/ws/123/": 404} {
		a := do(t, http.MethodGet, chat.HTTP(path), "")
		if a.Status != status || a.Header.Get("Content-Security-Policy") != policy {
			t.Errorf("GET %s: got %d with the policy %q, want %d", path, a.Status, a.Header.Get("Content-Security-Policy"), status)
		}
	}
	if !strings.Contains(chat.Output(), "open http://"+chat.Addr+"/") {
		t.Errorf("it does not say where it is: %s", chat.Output())
	}
	header := http.Header{"Sec-Websocket-Protocol": {"x, " + subprotocol}, "Origin": {chat.HTTP("")}}
	if got := websockettest.Dial(t, chat.WS("/ws/123/"), header).Answer.Header.Get("Sec-Websocket-Protocol"); got != subprotocol {
		t.Errorf("the page's socket got the subprotocol %q", got)
	}
	header.Set("Origin", "http://evil.example")
	if a := websockettest.Refused(t, chat.WS("/ws/123/"), header); a.Status != http.StatusForbidden {
		t.Errorf("another site's socket got %d, want 403", a.Status)
	}
}

// testSilent stops the program while a connection has not sent a request. Browsers open
// such connections in advance.
func testSilent(t *testing.T) {
	t.Parallel()
	chat := startProgram(t, db(t)...)
	silent, err := net.Dial("tcp", chat.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	// The server accepts connections in order: when this request is answered, it has
	// accepted the silent one.
	do(t, http.MethodGet, chat.HTTP("/"), "")
	chat.Terminate(t)
	chat.WantExit(t)
}

// testNoDatabase starts the program with a file that is not a database. The file does
// not change.
func testNoDatabase(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "notes.txt")
	notes := strings.Repeat("These are my notes, and nothing that is a database.\n", 100)
	if err := os.WriteFile(file, []byte(notes), 0o600); err != nil {
		t.Fatal(err)
	}
	code, output := failProgram(t, freeAddr(t), "-db", file)
	if code != 1 || !strings.Contains(output, "chat: database "+file+": it is not a database, or it is damaged; move it away") {
		t.Errorf("it ended with %d and wrote:\n%s", code, output)
	}
	if b, err := os.ReadFile(file); err != nil || string(b) != notes {
		t.Errorf("then the file was another (%v)", err)
	}
}

// testWrong starts the program with wrong arguments. It reports them, and creates no
// file.
func testWrong(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		at   string
		addr string
		more []string
		code int
		want string
	}{
		{here(), "8000", nil, 1, "missing port in address"},
		{here(), "127.0.0.1:99999", nil, 1, "invalid port"},
		{here(), freeAddr(t), []string{"tea"}, 1, `unexpected argument "tea"; use the flags -addr, -db, -layer and -proxies`},
		{here(), freeAddr(t), []string{"-proxies", "localhost"}, 2, `"localhost" is neither an address nor a network`},
	} {
		file := filepath.Join(t.TempDir(), "chat.db")
		code, output := failProgram(t, row.addr, append([]string{"-db", file}, row.more...)...)
		if code != row.code || !strings.Contains(output, row.want) || strings.Contains(output, "open http") {
			t.Errorf("%s: it ended with %d and wrote:\n%s", row.at, code, output)
		}
		if _, err := os.Stat(file); err == nil {
			t.Errorf("%s: it has made a database", row.at)
		}
	}
}

// testEndedAtTheStart stops the program while it waits for a locked database.
func testEndedAtTheStart(t *testing.T) {
	t.Parallel()
	file := made(t, 1)
	unlock := lock(t, file)
	defer unlock()
	chat := startProgram(t, "-db", file) // it listens before it opens the database
	chat.Terminate(t)
	chat.WantExit(t)
}
