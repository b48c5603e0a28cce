package main

import (
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestProcesses: several processes store messages of the same rooms. The positions have no
// gaps, everyone is told in their order, and each tag is stored once.
func TestProcesses(t *testing.T) {
	t.Parallel()
	const writers, each, rooms = 8, 10, 2
	var mu sync.Mutex
	told := map[string][]Message{}
	stores := openAtOnce(t, newDatabase(t), 3, func(room string, m Message) {
		mu.Lock()
		defer mu.Unlock()
		told[room] = append(told[room], m)
	})
	var all sync.WaitGroup
	for i, s := range stores {
		for w := range writers {
			all.Go(func() {
				for n := range each {
					tag := fmt.Sprint(w, "-", n) // the same in all processes
					m, _, err := s.Add(t.Context(), fmt.Sprint("room-", n%rooms), Message{From: person("Ann"), Text: tag, Tag: tag})
					if err != nil || m.Text != tag {
						t.Errorf("process %d: adding %s: %+v, %v", i, tag, m, err)
						return
					}
				}
			})
		}
	}
	all.Wait()
	for n := range rooms {
		room := fmt.Sprint("room-", n)
		stored := everything(t, stores[0], room)
		if want := writers * each / rooms; len(stored) != want || len(told[room]) != want {
			t.Fatalf("%s: %d are stored and %d told, want %d", room, len(stored), len(told[room]), want)
		}
		for i, m := range told[room] {
			if m.Seq != int64(i+1) || stored[i] != m {
				t.Errorf("%s: told %+v as number %d, and %+v is stored", room, m, i+1, stored[i])
			}
		}
	}
}

// openAtOnce opens an empty database as several processes do that start at once.
func openAtOnce(t *testing.T, db string, count int, stored func(room string, m Message)) []*store {
	t.Helper()
	stores, errs := make([]*store, count), make([]error, count)
	var all sync.WaitGroup
	for i := range stores {
		all.Go(func() { stores[i], errs[i] = openStore(t.Context(), databaseOf(db, true), stored) })
	}
	all.Wait()
	for _, s := range stores {
		if s != nil {
			t.Cleanup(func() {
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			})
		}
	}
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	return stores
}

// TestOneName: of several processes that give people the same name, one succeeds.
func TestOneName(t *testing.T) {
	t.Parallel()
	db := newDatabase(t)
	var given, taken int
	var mu sync.Mutex
	var all sync.WaitGroup
	for i := range 4 {
		s := openWith(t, databaseOf(db, true), nil)
		for n := range 10 {
			all.Go(func() {
				wanted, err := fold([]string{"Ian", "lan", "IAN"}[(i+n)%3] + fmt.Sprint(n))
				if err != nil {
					t.Error(err)
					return
				}
				err = s.AddPerson(t.Context(), Person{ID: fmt.Sprint(i, "-", n), Name: wanted.shown}, wanted)
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil:
					given++
				case errors.Is(err, errTaken):
					taken++
				default:
					t.Error(err)
				}
			})
		}
	}
	all.Wait()
	if given != 10 || taken != 30 {
		t.Errorf("%d names were given and %d taken, want 10 and 30", given, taken)
	}
}

// TestSecondProcess: without a layer, one process uses a database.
func TestSecondProcess(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db string) {
		t.Helper()
		first, err := openStore(t.Context(), databaseOf(db, false), func(string, Message) {})
		if err != nil {
			t.Fatal(err)
		}
		for _, shared := range []bool{false, true} {
			s, err := openStore(t.Context(), databaseOf(db, shared), nil)
			if err == nil {
				s.Close()
			}
			if !errors.Is(err, errSecond) || !strings.HasPrefix(err.Error(), "database "+first.String()+": another chat uses it; stop that one, or") {
				t.Errorf("the second one, shared: %t: got %v", shared, err)
			}
		}
		if _, _, err := first.Add(t.Context(), "1", Message{From: person("Ann"), Text: "still here"}); err != nil {
			t.Error(err)
		}
		if isPostgres(db) {
			waitForConnections(t, db, 1) // those of the second one are closed
		}
		if err := first.Close(); err != nil {
			t.Fatal(err)
		}
		openTest(t, db, nil)
	})
}

// TestSecondProcessByALink: a symbolic link is another name of the file, and no other file.
func TestSecondProcessByALink(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "chat.db")
	openTest(t, file, nil)
	link := filepath.Join(t.TempDir(), "link.db")
	if err := os.Symlink(file, link); err != nil {
		t.Skip("this system makes no symbolic links: ", err)
	}
	s, err := openStore(t.Context(), databaseOf(link, false), nil)
	if err == nil {
		s.Close()
	}
	if !errors.Is(err, errSecond) {
		t.Errorf("got %v, want %v", err, errSecond)
	}
}

// waitForConnections waits until this many connections use the database.
func waitForConnections(t *testing.T, db string, want int) {
	t.Helper()
	asks, err := sql.Open("pgx", servers.cluster.part("postgres").url)
	if err != nil {
		t.Fatal(err)
	}
	defer asks.Close()
	name := databaseName(t, db)
	for end := time.Now().Add(patience); ; <-time.After(20 * time.Millisecond) {
		var open int
		if err := asks.QueryRowContext(t.Context(), `SELECT count(*) FROM pg_stat_activity WHERE datname = $1`, name).Scan(&open); err != nil {
			t.Fatal(err)
		}
		if open == want {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d connections use the database, want %d", open, want)
		}
	}
}

// TestPostgresThatCannotBeUsed: the error says what to do, and has no password.
func TestPostgresThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	good := newDatabase(t)
	change := func(f func(u *url.URL)) string {
		u, err := url.Parse(good)
		if err != nil {
			t.Fatal(err)
		}
		f(u)
		return u.String()
	}
	foreign, later := newDatabase(t), newDatabase(t)
	execIn(t, foreign, `CREATE TABLE books (title TEXT)`)
	openWith(t, databaseOf(later, true), nil)
	execIn(t, later, fmt.Sprint(`UPDATE chat SET version = `, version+1))
	for _, row := range []struct {
		at, db, want string
	}{
		{here(), change(func(u *url.URL) { u.User = url.UserPassword("chat", "secret") }), "the user or the password is wrong; correct -db"},
		{here(), change(func(u *url.URL) { u.Path = "/none" }), "there is no such database; create it with createdb, or correct -db"},
		{here(), change(func(u *url.URL) { u.Host = freeAddr(t) }), "it cannot be reached; start it, or correct -db"},
		{here(), change(func(u *url.URL) { u.RawQuery = "sslmode=secret" }), "its URL is wrong; correct -db"},
		{here(), foreign, errForeign.Error()},
		{here(), later, fmt.Sprintf("its version is %d, and this program supports %d", version+1, version)},
	} {
		s, err := openStore(t.Context(), databaseOf(row.db, true), nil)
		if err == nil {
			s.Close()
			t.Errorf("%s: it is opened", row.at)
			continue
		}
		password, _ := mustParse(t, good).User.Password()
		if !strings.HasPrefix(err.Error(), "database postgres://chat:xxxxx@") || !strings.Contains(err.Error(), ": "+row.want) ||
			strings.Contains(err.Error(), password) {
			t.Errorf("%s: got %q, want %q", row.at, err, row.want)
		}
	}
}

func mustParse(t *testing.T, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// TestConnectionsAreCut: PostgreSQL closes all connections while messages are stored. The
// senders repeat those that were not acknowledged, and each is stored once.
func TestConnectionsAreCut(t *testing.T) {
	t.Parallel()
	db := newDatabase(t)
	s := openTest(t, db, nil)
	const writers, cuts = 4, 5
	var all sync.WaitGroup
	var cut, stored atomic.Int64
	for w := range writers {
		all.Go(func() {
			for n := 0; cut.Load() < cuts; n++ {
				tag := fmt.Sprint(w, "-", n)
				for try := 0; ; try++ {
					_, _, err := s.Add(t.Context(), "1", Message{From: person("Ann"), Text: tag, Tag: tag})
					if err == nil {
						break
					}
					if try == 50 {
						t.Errorf("adding %s: %v", tag, err)
						return
					}
					<-time.After(10 * time.Millisecond)
				}
				stored.Add(1)
			}
		})
	}
	defer all.Wait()
	defer cut.Store(cuts)
	for range cuts {
		waitForConnections(t, db, 1) // it was opened again
		before := stored.Load()
		execIn(t, servers.cluster.part("postgres").url, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
			WHERE datname = '`+databaseName(t, db)+`'`)
		for end := time.Now().Add(patience); stored.Load() < before+2*writers; <-time.After(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("nothing is stored after the connections were cut")
			}
		}
		cut.Add(1)
	}
	all.Wait()
	messages := everything(t, s, "1")
	for i, m := range messages {
		if m.Seq != int64(i+1) || m.Text != m.Tag {
			t.Errorf("number %d is %+v", i+1, m)
		}
	}
	if int64(len(messages)) != stored.Load() {
		t.Errorf("%d are stored, want %d", len(messages), stored.Load())
	}
}

func databaseName(t *testing.T, db string) string {
	t.Helper()
	return strings.TrimPrefix(mustParse(t, db).Path, "/")
}

// TestOthersAreNotReadInPostgres is TestOthersAreNotRead, with a plan for any parameters.
func TestOthersAreNotReadInPostgres(t *testing.T) {
	t.Parallel()
	s := openTest(t, newDatabase(t), nil)
	conn, err := s.writes.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, statement := range []string{
		`SET statement_timeout = 0`, // the machine may be busy
		`INSERT INTO messages SELECT '1', n, n % 50, '', n % 49, '', 'text', 0 FROM generate_series(1, 20000) AS n`,
		`ANALYZE messages`, `SET plan_cache_mode = force_generic_plan`,
		`PREPARE page AS ` + s.visible(),
	} {
		if _, err := conn.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	rows, err := conn.QueryContext(t.Context(), `EXPLAIN EXECUTE page('1', 0, 30000, '7', 51)`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var plan []string
	for rows.Next() {
		var step string
		if err := rows.Scan(&step); err != nil {
			t.Fatal(err)
		}
		plan = append(plan, step)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	all := strings.Join(plan, "\n")
	for index, want := range map[string]int{"Scan Backward using messages_to": 2, "Scan Backward using messages_alone": 1, "Seq Scan": 0} {
		if got := strings.Count(all, index); got != want {
			t.Errorf("%q is in the plan %d times, want %d:\n%s", index, got, want, all)
		}
	}
}

// testSecond starts a second program with the same database, which exits and says what to do.
func testSecond(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "chat.db")
	first := startProgram(t, "-db", file)
	do(t, http.MethodGet, first.HTTP("/"), "") // it has the database when it answers
	code, output := failProgram(t, freeAddr(t), "-db", file)
	if want := "chat: database " + file + ": another chat uses it; stop that one, or choose another database with -db, " +
		"or let both share a PostgreSQL and a Redis with -db and -layer"; code != 1 || !strings.Contains(output, want) {
		t.Errorf("the second one exited with %d and wrote:\n%s", code, output)
	}
	first.Terminate(t)
	first.WantExit(t)
}
