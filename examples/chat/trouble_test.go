package main

import (
	"bytes"
	"database/sql"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wye-go/wye/consumer/consumertest"
)

// TestDatabasesThatCannotBeUsed: the error says what to do, and the file does not
// change.
func TestDatabasesThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	const another = "choose another file with -db"
	for _, row := range []struct {
		at   string
		name string
		file func(t *testing.T) string
		want string
	}{
		{here(), "foreign", func(t *testing.T) string {
			t.Helper()
			file := filepath.Join(t.TempDir(), "other.db")
			change(t, file, `CREATE TABLE books (title TEXT); INSERT INTO books VALUES ('Emma')`)
			return file
		}, errForeign.Error()},
		{here(), "later version", func(t *testing.T) string {
			t.Helper()
			file := made(t, 1)
			change(t, file, fmt.Sprintf(`PRAGMA user_version = %d`, version+1))
			return file
		}, fmt.Sprintf("its version is %d, and this program supports %d: %v", version+1, version, errForeign)},
		{here(), "garbage", func(t *testing.T) string {
			t.Helper()
			file := filepath.Join(t.TempDir(), "chat.db")
			write(t, file, []byte("no database at all"))
			return file
		}, "it is not a database, or it is damaged; move it away, or " + another},
		{here(), "short", func(t *testing.T) string {
			t.Helper()
			file := made(t, 100)
			write(t, file, read(t, file)[:20_000])
			return file
		}, "it is damaged"},
		{here(), "overwritten", func(t *testing.T) string {
			t.Helper()
			file := made(t, 1000)
			b := read(t, file)
			for i := range 4096 {
				b[len(b)/2/4096*4096+i] = 0xDB
			}
			write(t, file, b)
			return file
		}, "it is damaged"},
		{here(), "a folder", func(t *testing.T) string {
			t.Helper()
			return t.TempDir()
		}, "it cannot be opened; check its folder, or " + another},
		{here(), "no name", func(*testing.T) string { return "" }, "stat : no such file"},
		{here(), "no file", func(*testing.T) string { return ":memory:" }, "stat :memory:: no such file"},
		{here(), "no folder", func(t *testing.T) string {
			t.Helper()
			return filepath.Join(t.TempDir(), "none", "chat.db")
		}, "it cannot be opened; check its folder, or " + another},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			file := row.file(t)
			before, errBefore := os.ReadFile(file)
			others := beside(t, file)
			s, err := openStore(t.Context(), databaseOf(file, false), nil)
			if err == nil {
				s.Close()
				t.Fatalf("%s: it is opened", row.at)
			}
			if got, want := err.Error(), "database "+file+": "+row.want; len(got) < len(want) || got[:len(want)] != want {
				t.Errorf("%s: got %q, want %q", row.at, got, want)
			}
			after, errAfter := os.ReadFile(file)
			if !bytes.Equal(after, before) || (errBefore == nil) != (errAfter == nil) {
				t.Errorf("%s: then the file is another", row.at)
			}
			if now := beside(t, file); !slices.Equal(now, others) {
				t.Errorf("%s: it leaves %q, and there were %q", row.at, now, others)
			}
		})
	}
}

// beside returns the files beside a database that SQLite or the chat has made.
func beside(t *testing.T, file string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(filepath.Dir(file), "*-*"))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func write(t *testing.T, file string, b []byte) {
	t.Helper()
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestWithoutPermission: files that the user may not read or write.
func TestWithoutPermission(t *testing.T) {
	t.Parallel()
	const (
		cannotBeOpened  = "it cannot be opened; check its folder"
		cannotBeWritten = "it is read-only; check its owner and mode"
	)
	for _, row := range []struct {
		at           string
		name         string
		file, folder os.FileMode
		want         string
	}{
		{here(), "unreadable", 0, 0o777, cannotBeOpened},
		{here(), "read only", 0o444, 0o777, cannotBeWritten},
		{here(), "in a folder that is read only", 0o666, 0o555, cannotBeWritten},
		{here(), "in a folder of others", 0o666, 0, cannotBeOpened},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			file := made(t, 10)
			folder := filepath.Dir(file)
			before := read(t, file)
			allow(t, filepath.Dir(folder), 0o755)
			allow(t, file, row.file)
			allow(t, folder, row.folder)
			err := asNobody(func() error {
				s, err := openStore(t.Context(), databaseOf(file, false), nil)
				if err == nil {
					return s.Close()
				}
				return err
			})
			if want := "database " + file + ": " + row.want; err == nil || !strings.HasPrefix(err.Error(), want) {
				t.Errorf("%s: got %v, want %s", row.at, err, want)
			}
			allow(t, folder, 0o700)
			allow(t, file, 0o600)
			if !bytes.Equal(read(t, file), before) {
				t.Errorf("%s: then the file is another", row.at)
			}
		})
	}
}

func allow(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

// lock locks the database as another program would, until the returned function is
// called.
func lock(t *testing.T, file string) (unlock func()) {
	t.Helper()
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	if _, err := db.ExecContext(t.Context(), `BEGIN IMMEDIATE`); err != nil {
		t.Fatal(err)
	}
	return func() { db.Close() }
}

func TestLockedAtTheStart(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("long: SQLite waits three seconds for the lock")
	}
	file := made(t, 1)
	unlock := lock(t, file)
	if s, err := openStore(t.Context(), databaseOf(file, false), nil); err == nil {
		s.Close()
		t.Error("it is opened")
	} else if want := "database " + file + ": another program has locked it; stop that program, or"; !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
	unlock()
	openTest(t, file, nil)
}

// TestTroubleWhileRunning: a message that cannot be stored is refused and sent to no
// one, and stored when it is sent again later. Acknowledged messages stay.
func TestTroubleWhileRunning(t *testing.T) {
	t.Parallel()
	pragma := func(t *testing.T, c *chat, statement string) {
		t.Helper()
		if _, err := c.store.writes.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	for name, row := range map[string]struct {
		begin func(t *testing.T, c *chat) (end func())
		why   string
	}{
		"locked": {func(t *testing.T, c *chat) func() {
			t.Helper()
			pragma(t, c, `PRAGMA busy_timeout = 20`)
			return lock(t, c.store.String())
		}, "another program has locked it; stop that program"},
		"full": {func(t *testing.T, c *chat) func() {
			t.Helper()
			pragma(t, c, `PRAGMA max_page_count = 1`) // the file has more
			return func() { pragma(t, c, `PRAGMA max_page_count = 1000000`) }
		}, "the disk is full; make room"},
		"moved": {func(t *testing.T, c *chat) func() {
			t.Helper()
			move := func(from, to string) {
				if err := os.Rename(from, to); err != nil {
					t.Error(err)
				}
			}
			move(c.store.String(), c.store.String()+".old")
			return func() { move(c.store.String()+".old", c.store.String()) }
		}, errMoved.Error()},
		"read only": {func(t *testing.T, c *chat) func() {
			t.Helper()
			pragma(t, c, `PRAGMA query_only = 1`)
			return func() { pragma(t, c, `PRAGMA query_only = 0`) }
		}, "it is read-only"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := start(t)
				ann, bob := enter(t, c, "Ann", "/ws/123/"), enter(t, c, "Bob", "/ws/123/")
				ann.wantNews("join", "Bob")
				long := strings.Repeat("x", maxText) // needs another page of the file
				add(t, c, "123", Message{From: person("Joe"), Text: "before"})
				ann.wantSaid("Joe", "before")
				bob.wantSaid("Joe", "before")
				cookie := http.Header{"Cookie": {cookieOf(t, c, "Eve")}}

				end := row.begin(t, c)
				tagged := request{Type: "say", Tag: "t1", Text: long}
				for range 2 {
					ann.SendJSON(tagged)
					if no := ann.wantRefused("store"); no.Tag != "t1" || no.Retry != 2000 {
						t.Errorf("got %+v, want t1 to be tried again in two seconds", no)
					}
					<-time.After(2 * time.Second)
				}
				ann.WantNothing()
				bob.WantNothing()
				_, _, err := c.store.Add(t.Context(), "123", Message{From: person("Joe"), Text: long})
				if want := "database " + c.store.String() + ": " + row.why; err == nil || !strings.HasPrefix(err.Error(), want) {
					t.Errorf("got %v, want %s", err, want)
				}
				// Readers do not wait.
				eve := consumertest.Connect(t, c.urls(), "/ws/123/", &consumertest.Options{Header: cookie})
				eve.WantText("* You are Eve in room 123, with Ann and Bob.")
				eve.WantText("Joe: before")
				eve.WantNothing()
				ann.wantNews("join", "Eve")
				bob.wantNews("join", "Eve")
				eve.Vanish()
				eve.WantOver()
				ann.wantNews("leave", "Eve")
				bob.wantNews("leave", "Eve")

				end()
				ann.SendJSON(tagged)
				ann.wantSaid("Ann", long)
				if m := bob.wantSaid("Ann", long); m.Seq != 2 {
					t.Errorf("it has the place %d, want the second", m.Seq)
				}
				ann.SendJSON(tagged) // it was not acknowledged
				ann.wantSaid("Ann", long)
				bob.WantNothing()
			})
		})
	}
}

// made creates a database of the chat with some messages, and closes it.
func made(t *testing.T, count int) (file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "chat.db")
	s, err := openStore(t.Context(), databaseOf(file, false), func(string, Message) {})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.writes.ExecContext(t.Context(), `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
		INSERT INTO messages (room, seq, from_id, from_name, to_id, to_name, text, at)
		SELECT '1', i, 'a', 'Ann', '', '', printf('%0500d', i), 0 FROM n`, count); err != nil {
		t.Fatal(err)
	}
	return file
}

// change changes a closed database.
func change(t *testing.T, file, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}
