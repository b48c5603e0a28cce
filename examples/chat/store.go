package main

import (
	"context"
	"crypto/rand"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	_ "modernc.org/sqlite" // the driver
)

//go:embed schema.sql
var schema string

const (
	// applicationID marks a database as a chat's.
	applicationID = 0x57796501
	// version is that of the schema.
	version = 1
	// busy is how long the database may be locked by somebody else.
	busy = 3 * time.Second
	// kept is how many messages of a room are.
	kept = 100_000
)

// store is the chat's database: the messages of all rooms, and the names of the
// people. Whatever is to be kept goes through one connection; any number read.
type store struct {
	path   string
	reads  *sql.DB
	writes *sql.DB
	writer *writer
}

// openStore opens the database in a file, which it makes if there is none. told is
// given every message that has been stored, in the order of the places in its
// room, before Add returns.
func openStore(path string, told func(room string, m Message)) (*store, error) {
	s := &store{path: path}
	if err := s.open(); err != nil {
		return nil, errors.Join(trouble(path, err), s.closeFiles())
	}
	s.writer = startWriter(s.writes, told)
	return s, nil
}

func (s *store) open() (err error) {
	if s.writes, err = open(s.path, "_txlock=immediate"); err != nil {
		return err
	}
	s.writes.SetMaxOpenConns(1)
	if err := prepare(s.writes); err != nil {
		return err
	}
	s.reads, err = open(s.path, "_pragma=query_only(1)")
	return err
}

// open opens a file. What has been committed is on the disk, also if the machine
// stops (synchronous=FULL), and nobody who reads waits for somebody who writes.
func open(path, option string) (*sql.DB, error) {
	name := url.URL{Scheme: "file", Opaque: url.PathEscape(path), RawQuery: fmt.Sprintf(
		"_pragma=busy_timeout(%d)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&%s", busy.Milliseconds(), option)}
	return sql.Open("sqlite", name.String())
}

// prepare makes the schema, if the database is new, and otherwise sees whether it
// is a chat's and sound.
func prepare(db *sql.DB) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // nothing is left to be rolled back after Commit
	var id, is, tables int
	err = tx.QueryRow(`SELECT (SELECT application_id FROM pragma_application_id), (SELECT user_version FROM pragma_user_version),
		(SELECT count(*) FROM sqlite_schema)`).Scan(&id, &is, &tables)
	switch {
	case err != nil:
		return err
	case tables == 0:
		if _, err := tx.Exec(fmt.Sprintf(`%s; PRAGMA application_id = %d; PRAGMA user_version = %d`, schema, applicationID, version)); err != nil {
			return err
		}
		if _, err := tx.Exec(`INSERT INTO secrets VALUES ('cookie', ?)`, random(32)); err != nil {
			return err
		}
	case id != applicationID:
		return errForeign
	case is != version:
		return fmt.Errorf("it is of version %d, and this program knows %d: %w", is, version, errForeign)
	default:
		var found string
		if err := tx.QueryRow(`PRAGMA quick_check(1)`).Scan(&found); err != nil {
			return err
		}
		if found != "ok" {
			return fmt.Errorf("%w: %s", errDamaged, found)
		}
	}
	return tx.Commit()
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return b
}

// Close stores what has been given to Add, and closes the database.
func (s *store) Close() error {
	s.writer.stop()
	return s.closeFiles()
}

func (s *store) closeFiles() (err error) {
	for _, db := range []*sql.DB{s.reads, s.writes} {
		if db != nil {
			err = errors.Join(err, db.Close())
		}
	}
	return err
}

// Add stores a message in a room and returns it with its place. One that has been
// stored already, with this tag of this writer, is returned as it was: again is
// true, and nobody is told. On an error it is not known to be stored; to be sure,
// add it again with the same tag.
func (s *store) Add(ctx context.Context, room string, m Message) (stored Message, again bool, err error) {
	r, err := s.writer.add(ctx, room, m)
	return r.message, r.again, trouble(s.path, err)
}

// Page is some of a room's messages, oldest first.
type Page struct {
	Messages []Message
	More     bool  // there are others between what was asked from and these
	Last     int64 // the place of the room's last message, whoever may see it
}

// pageSize is how many messages a page has at the most.
const pageSize = 50

// After returns the last messages in a room that id may see, and that come after
// a place.
func (s *store) After(ctx context.Context, room, id string, after int64) (Page, error) {
	return s.page(ctx, room, id, after, 1<<62)
}

// Before returns the last messages in a room that id may see, and that come before
// a place.
func (s *store) Before(ctx context.Context, room, id string, before int64) (Page, error) {
	return s.page(ctx, room, id, 0, before)
}

func (s *store) page(ctx context.Context, room, id string, after, before int64) (Page, error) {
	tx, err := s.reads.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return Page{}, trouble(s.path, err)
	}
	defer tx.Rollback() //nolint:errcheck // it has only read
	p, err := readPage(ctx, tx, room, id, after, before)
	return p, trouble(s.path, err)
}

func readPage(ctx context.Context, tx *sql.Tx, room, id string, after, before int64) (p Page, err error) {
	if err := tx.QueryRowContext(ctx, `SELECT coalesce(max(seq), 0) FROM messages WHERE room = ?`, room).Scan(&p.Last); err != nil {
		return Page{}, err
	}
	rows, err := tx.QueryContext(ctx, `SELECT `+columns+` FROM messages
		WHERE room = ? AND seq > ? AND seq < ? AND (to_id IN ('', ?4) OR from_id = ?4)
		ORDER BY seq DESC LIMIT ?5`, room, after, before, id, pageSize+1)
	if err != nil {
		return Page{}, err
	}
	defer rows.Close()
	for rows.Next() {
		m, err := scan(rows)
		if err != nil {
			return Page{}, err
		}
		p.Messages = append(p.Messages, m)
	}
	if len(p.Messages) > pageSize {
		p.Messages, p.More = p.Messages[:pageSize], true
	}
	slices.Reverse(p.Messages)
	return p, rows.Err()
}

// columns are those that scan reads.
const columns = `seq, from_id, from_name, to_id, to_name, text, at, coalesce(tag, '')`

func scan(row interface{ Scan(to ...any) error }) (m Message, err error) {
	var to Person
	err = row.Scan(&m.Seq, &m.From.ID, &m.From.Name, &to.ID, &to.Name, &m.Text, &m.At, &m.Tag)
	if to.ID != "" {
		m.To = &to
	}
	return m, err
}

// Secret returns what cookies are signed with: it is made with the database.
func (s *store) Secret() (secret []byte, err error) {
	err = s.reads.QueryRow(`SELECT value FROM secrets WHERE name = 'cookie'`).Scan(&secret)
	return secret, trouble(s.path, err)
}

// errTaken means that somebody else has the name.
var errTaken = errors.New("somebody else has this name")

// AddPerson gives p its name. same is equal for names that people take for the
// same; of those only one can be had.
func (s *store) AddPerson(ctx context.Context, p Person, same string) error {
	done, err := s.writes.ExecContext(ctx, `INSERT INTO people VALUES (?, ?, ?, ?) ON CONFLICT (same) DO NOTHING`,
		p.ID, p.Name, same, time.Now().UnixMilli())
	if err != nil {
		return trouble(s.path, err)
	}
	if n, err := done.RowsAffected(); err != nil || n == 0 {
		return errors.Join(errTaken, err)
	}
	return nil
}

// Person returns whoever has an ID.
func (s *store) Person(ctx context.Context, id string) (p Person, found bool, err error) {
	err = s.reads.QueryRowContext(ctx, `SELECT id, name FROM people WHERE id = ?`, id).Scan(&p.ID, &p.Name)
	if errors.Is(err, sql.ErrNoRows) {
		return Person{}, false, nil
	}
	return p, err == nil, trouble(s.path, err)
}
