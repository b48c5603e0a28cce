package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
)

// eachDatabase runs a test with a new database of SQLite, and with one of PostgreSQL.
func eachDatabase(t *testing.T, test func(t *testing.T, db string)) {
	t.Helper()
	t.Parallel()
	for name, create := range map[string]func(t *testing.T) string{
		"sqlite":   func(t *testing.T) string { t.Helper(); return filepath.Join(t.TempDir(), "chat.db") },
		"postgres": newDatabase,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, create(t))
		})
	}
}

// isPostgres reports whether db is of PostgreSQL.
func isPostgres(db string) bool { return strings.HasPrefix(db, "postgres:") }

// openTest opens a store until the end of the test. stored may be nil.
func openTest(t *testing.T, db string, stored func(room string, m Message)) *store {
	t.Helper()
	return openWith(t, databaseOf(db, false), stored)
}

func openWith(t *testing.T, d database, stored func(room string, m Message)) *store {
	t.Helper()
	if stored == nil {
		stored = func(string, Message) {}
	}
	s, err := openStore(t.Context(), d, stored)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	if isPostgres(d.String()) {
		return s
	}
	if _, err := s.writes.ExecContext(t.Context(), `PRAGMA synchronous = OFF`); err != nil { // the machine does not crash in a test
		t.Fatal(err)
	}
	return s
}

// TestPositions: concurrent messages in some rooms get positions without gaps, and
// stored is called in their order before Add returns.
func TestPositions(t *testing.T) {
	eachDatabase(t, testPositions)
}

func testPositions(t *testing.T, db string) {
	t.Helper()
	const writers, each, rooms = 50, 10, 3
	var mu sync.Mutex
	told := map[string][]Message{}
	s := openTest(t, db, func(room string, m Message) {
		mu.Lock()
		defer mu.Unlock()
		told[room] = append(told[room], m)
	})
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			room := fmt.Sprint("room-", w%rooms)
			for i := range each {
				tag := fmt.Sprint(w, "-", i)
				m, again, err := s.Add(t.Context(), room, Message{From: person("Ann"), Text: tag, At: int64(i), Tag: tag})
				if err != nil || again || m.Text != tag || m.Seq < 1 {
					t.Errorf("adding %s: %+v, %t, %v", tag, m, again, err)
					return
				}
				mu.Lock()
				if n := int64(len(told[room])); n < m.Seq || told[room][m.Seq-1] != m {
					t.Errorf("%s is added in place %d, and %d are told", tag, m.Seq, n)
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	count := 0
	for room, messages := range told {
		stored := everything(t, s, room)
		if len(stored) != len(messages) {
			t.Errorf("%s: %d are told and %d stored", room, len(messages), len(stored))
		}
		for i, m := range messages {
			if m.Seq != int64(i+1) || stored[i] != m {
				t.Fatalf("%s: told %+v as number %d, and %+v is stored", room, m, i+1, stored[i])
			}
		}
		count += len(messages)
	}
	if count != writers*each {
		t.Errorf("%d are told, want %d", count, writers*each)
	}
}

// TestMessagesAreThereAgain: messages survive a restart.
func TestMessagesAreThereAgain(t *testing.T) {
	eachDatabase(t, testMessagesAreThereAgain)
}

func testMessagesAreThereAgain(t *testing.T, db string) {
	t.Helper()
	ann, bob := person("Ann"), person("Bob")
	first, err := openStore(t.Context(), databaseOf(db, false), func(string, Message) {})
	if err != nil {
		t.Fatal(err)
	}
	direct := Message{Seq: 1, From: ann, To: &bob, Text: "line\n<b>\"'☃", At: 1_700_000_000_000, Tag: "t"}
	if m, again, err := first.Add(t.Context(), "1", direct); !reflect.DeepEqual(m, direct) || again || err != nil {
		t.Errorf("adding returned %+v (%t, %v)", m, again, err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}

	s := openTest(t, db, func(_ string, m Message) {
		if m.Seq == 1 {
			t.Errorf("%+v is told again", m)
		}
	})
	p, err := s.After(t.Context(), "1", ann.ID, 0)
	if err != nil || !reflect.DeepEqual(p, Page{Messages: []Message{direct}, Last: 1}) {
		t.Errorf("got %+v (%v), want %+v", p, err, direct)
	}
	if m, again, err := s.Add(t.Context(), "1", Message{From: ann, Text: "again", Tag: "t"}); err != nil || !again || !reflect.DeepEqual(m, direct) {
		t.Errorf("with the same tag: %+v, %t, %v", m, again, err)
	}
	if m, _, err := s.Add(t.Context(), "1", Message{From: ann, Text: "next"}); err != nil || m.Seq != 2 {
		t.Errorf("the next is %+v (%v)", m, err)
	}
}

// TestPeopleAreThereAgain: people and their cookies survive a restart.
func TestPeopleAreThereAgain(t *testing.T) {
	eachDatabase(t, testPeopleAreThereAgain)
}

func testPeopleAreThereAgain(t *testing.T, db string) {
	t.Helper()
	ann, bob := person("Ann"), person("Bob")
	first, err := openStore(t.Context(), databaseOf(db, false), func(string, Message) {})
	if err != nil {
		t.Fatal(err)
	}
	secret, err := first.Secret(t.Context())
	if err != nil || len(secret) < 32 {
		t.Fatalf("the secret has %d bytes (%v)", len(secret), err)
	}
	if err := errors.Join(first.AddPerson(t.Context(), ann, folded{"Ann", "ann", []string{"ann"}}), first.Close()); err != nil {
		t.Fatal(err)
	}

	s := openTest(t, db, nil)
	if again, err := s.Secret(t.Context()); err != nil || !bytes.Equal(again, secret) {
		t.Errorf("the secret is another (%v)", err)
	}
	if who, found, err := s.Person(t.Context(), ann.ID); err != nil || !found || who != ann {
		t.Errorf("Ann is %+v (%t, %v)", who, found, err)
	}
	if _, found, err := s.Person(t.Context(), bob.ID); err != nil || found {
		t.Errorf("Bob is found: %t (%v)", found, err)
	}
	if err := s.AddPerson(t.Context(), bob, folded{"Ann", "ann", []string{"ann"}}); !errors.Is(err, errTaken) {
		t.Errorf("a name that is taken: %v", err)
	}
}

// TestSafe: an acknowledged message is on disk, and Add fails after Close.
func TestSafe(t *testing.T) {
	t.Parallel()
	s, err := openStore(t.Context(), databaseOf(filepath.Join(t.TempDir(), "chat.db"), false), nil)
	if err != nil {
		t.Fatal(err)
	}
	for pragma, want := range map[string]string{"synchronous": "2", "journal_mode": "wal"} { // 2 is FULL
		var got string
		if err := s.writes.QueryRowContext(t.Context(), `PRAGMA `+pragma).Scan(&got); err != nil || got != want {
			t.Errorf("%s is %s (%v), want %s", pragma, got, err, want)
		}
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, _, err := s.Add(t.Context(), "1", Message{From: person("Ann"), Text: "late"}); !errors.Is(err, errStopped) {
		t.Errorf("after Close, Add returned %v", err)
	}
}

// TestTrimming: a room keeps its last messages.
func TestTrimming(t *testing.T) {
	eachDatabase(t, testTrimming)
}

func testTrimming(t *testing.T, db string) {
	t.Helper()
	s := openTest(t, db, nil)
	for room, seqs := range map[string][]int64{"1": {1, 2, 3, kept + 1}, "2": {1, 2}} {
		for _, seq := range seqs {
			if _, err := s.writes.ExecContext(t.Context(), `INSERT INTO messages
				(room, seq, from_id, from_name, to_id, to_name, text, at) VALUES ($1, $2, 'a', 'A', '', '', '', 0)`, room, seq); err != nil {
				t.Fatal(err)
			}
		}
		if _, _, err := s.Add(t.Context(), room, Message{From: person("Ann"), Text: "one more"}); err != nil {
			t.Fatal(err)
		}
	}
	for room, want := range map[string]string{"1": fmt.Sprint([]int64{3, kept + 1, kept + 2}), "2": "[1 2 3]"} {
		var got []int64
		for _, m := range everything(t, s, room) {
			got = append(got, m.Seq)
		}
		if fmt.Sprint(got) != want {
			t.Errorf("room %s has %v, want %s", room, got, want)
		}
	}
}

// TestCancelledAdd: an accepted message is stored even if its sender has gone; one that
// was not accepted is not stored.
func TestCancelledAdd(t *testing.T) {
	eachDatabase(t, testCancelledAdd)
}

func testCancelledAdd(t *testing.T, db string) {
	t.Helper()
	told := make(chan Message, 10)
	s := openTest(t, db, func(_ string, m Message) { told <- m })
	only, err := s.writes.Conn(t.Context()) // the store waits for it
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var gone sync.WaitGroup
	add := func(text string) {
		if _, _, err := s.Add(ctx, "1", Message{From: person("Ann"), Text: text}); !errors.Is(err, context.Canceled) {
			t.Errorf("adding what is %s: %v", text, err)
		}
	}
	gone.Go(func() { add("taken") })
	for s.writes.Stats().WaitCount == 0 { // until the writer waits
		<-time.After(time.Millisecond)
	}
	gone.Go(func() { add("not taken") })
	cancel()
	gone.Wait()
	only.Close()
	select {
	case m := <-told:
		if m.Seq != 1 || m.Text != "taken" {
			t.Errorf("told %+v", m)
		}
	case <-time.After(time.Minute):
		t.Fatal("what was taken has not been stored")
	}
	if m, _, err := s.Add(t.Context(), "1", Message{From: person("Ann"), Text: "next"}); err != nil || m.Seq != 2 {
		t.Errorf("the next is %+v (%v), want the second", m, err)
	}
}

// TestDeleted: positions of deleted messages are not used again, because clients that
// have them would drop the new message.
func TestDeleted(t *testing.T) {
	eachDatabase(t, testDeleted)
}

func testDeleted(t *testing.T, db string) {
	t.Helper()
	s := openTest(t, db, nil)
	say := func(text string) Message {
		m, _, err := s.Add(t.Context(), "1", Message{From: person("Ann"), Text: text})
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	for _, text := range []string{"hello", "spam", "more spam"} {
		say(text)
	}
	if _, err := s.writes.ExecContext(t.Context(), `DELETE FROM messages WHERE seq > 1`); err != nil {
		t.Fatal(err)
	}
	if p, err := s.After(t.Context(), "1", "", 0); err != nil || p.Last != 3 || len(p.Messages) != 1 {
		t.Errorf("there is %+v (%v), want one message and a last place of 3", p, err)
	}
	if m := say("thanks"); m.Seq != 4 {
		t.Errorf("the place is %d, want 4", m.Seq)
	}
}

// TestPaths: a database may have any name.
func TestPaths(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"chat.db", "a b.db", "what?.db", "a#b.db", "100%.db", "a%20b.db", "a&b=c;d.db", "聊天 ö🙂.db", "file:x.db", "-db", "x?mode=ro", "a+b.db"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), name)
			openTest(t, file, nil)
			if _, err := os.Stat(file); err != nil {
				t.Errorf("the database is elsewhere: %v", err)
			}
		})
	}
	t.Run("relative", func(t *testing.T) {
		t.Parallel()
		here, err := os.Getwd()
		if err != nil {
			t.Fatal(err)
		}
		file, err := filepath.Rel(here, filepath.Join(t.TempDir(), "a b?.db"))
		if err != nil {
			t.Fatal(err)
		}
		openTest(t, file, nil)
		if _, err := os.Stat(file); err != nil {
			t.Errorf("the database is elsewhere: %v", err)
		}
	})
}

// TestOthersAreNotRead: reading a page does not read the direct messages between
// others, of which there may be 100,000.
func TestOthersAreNotRead(t *testing.T) {
	t.Parallel()
	s := openTest(t, filepath.Join(t.TempDir(), "chat.db"), nil)
	rows, err := s.reads.QueryContext(t.Context(), `EXPLAIN QUERY PLAN `+s.visible(), "123", 0, 1000, "id", 51)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	searches := 0
	for rows.Next() {
		var id, parent, unused int
		var step string
		if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(step, " messages ") {
			continue
		}
		searches++
		_, by, _ := strings.Cut(step, "(")
		if by != "room=? AND to_id=? AND seq>? AND seq<?)" && by != "room=? AND from_id=? AND seq>? AND seq<?)" {
			t.Errorf("it does %q", step)
		}
	}
	if err := rows.Err(); err != nil || searches != 3 {
		t.Errorf("there are %d searches (%v), want 3", searches, err)
	}
}

// TestUpgrade: a file of version 1 is upgraded, including names that would be refused
// now.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	file := made(t, 1)
	change(t, file, `DROP TABLE looks; PRAGMA user_version = 1;
		INSERT INTO people VALUES ('1', 'Ann', 'ann', 0), ('2', 'Ann꞉', 'ann꞉', 0), ('3', '...', '...', 0), ('4', 'Ian', 'ian', 0)`)
	for range 2 {
		s, err := openStore(t.Context(), databaseOf(file, false), nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range []struct {
			name  string
			taken bool
		}{{"Ann", true}, {"ANN!", true}, {"lan", true}, {"Eve", false}} {
			n, err := fold(row.name)
			if err != nil {
				t.Fatal(err)
			}
			if taken, err := s.Taken(t.Context(), n); err != nil || taken != row.taken {
				t.Errorf("%s is taken: %t (%v), want %t", row.name, taken, err, row.taken)
			}
		}
		if who, found, err := s.Person(t.Context(), "2"); err != nil || !found || who.Name != "Ann꞉" {
			t.Errorf("somebody with a name that cannot be had any more is %+v (%t, %v)", who, found, err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestPageBytes: a page has a limit in bytes, and the rest is on the next page.
func TestPageBytes(t *testing.T) {
	eachDatabase(t, testPageBytes)
}

func testPageBytes(t *testing.T, db string) {
	t.Helper()
	s := openTest(t, db, nil)
	for i, size := range []int{1, pageBytes + 1, 10, pageBytes / 2, pageBytes/2 + 1} {
		if _, _, err := s.Add(t.Context(), "1", Message{From: person("Ann"), Text: strings.Repeat(fmt.Sprint(i), size)}); err != nil {
			t.Fatal(err)
		}
	}
	before := int64(100)
	for _, want := range []string{"[5] true", "[3 4] true", "[2] true", "[1] false"} {
		p, err := s.Before(t.Context(), "1", "", before)
		if err != nil {
			t.Fatal(err)
		}
		var seqs []int64
		for _, m := range p.Messages {
			seqs = append(seqs, m.Seq)
		}
		if got := fmt.Sprint(seqs, " ", p.More); got != want || p.Last != 5 {
			t.Errorf("before %d there are %s (last %d), want %s", before, got, p.Last, want)
		}
		before = seqs[0]
	}
}
