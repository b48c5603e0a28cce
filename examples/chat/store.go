package main

import (
	"context"
	"database/sql"
	"errors"
	"math"
	"os"
	"slices"
	"time"
)

// kept is how many messages of a room are.
const kept = 100_000

// readers is how many read at the same time: each has files open, and memory.
const readers = 8

// store is the chat's database: the messages of all rooms, and the names of the
// people. Whatever is to be kept goes through one connection; some others read.
type store struct {
	path   string
	file   os.FileInfo
	reads  *sql.DB
	writes *sql.DB
	writer *writer
}

// openStore opens the database in a file, which it makes if there is none. told is
// given every message that has been stored, in the order of the places in its
// room, before Add returns.
func openStore(ctx context.Context, path string, told func(room string, m Message)) (*store, error) {
	s := &store{path: path}
	if err := s.open(ctx); err != nil {
		return nil, errors.Join(trouble(path, err), s.closeFiles())
	}
	s.writer = startWriter(s.writes, told)
	return s, nil
}

func (s *store) open(ctx context.Context) (err error) {
	if s.writes, err = open(s.path, "_txlock=immediate"); err != nil {
		return err
	}
	s.writes.SetMaxOpenConns(1)
	if err := prepare(ctx, s.writes); err != nil {
		return err
	}
	// Nobody who reads waits for somebody who writes. It is written to the file, and
	// so not before that is known to be a chat's.
	if _, err := s.writes.ExecContext(ctx, `PRAGMA journal_mode = WAL`); err != nil {
		return err
	}
	if s.reads, err = open(s.path, "_pragma=query_only(1)&mode=rw"); err != nil { // and does not make another file
		return err
	}
	s.reads.SetMaxOpenConns(readers)
	s.reads.SetMaxIdleConns(readers)
	s.file, err = os.Stat(s.path) // SQLite has names that are no files
	return err
}

// there returns nil if the database is where it was. What is stored in a file that
// has no name any more is lost when the chat ends.
func (s *store) there() error {
	if now, err := os.Stat(s.path); err != nil || !os.SameFile(s.file, now) {
		return trouble(s.path, errors.Join(errMoved, err))
	}
	return nil
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
	if err := s.there(); err != nil {
		return Message{}, false, err
	}
	r, err := s.writer.add(ctx, room, m)
	return r.message, r.again, trouble(s.path, err)
}

// Page is some of a room's messages, oldest first.
type Page struct {
	Messages []Message
	More     bool  // there are others between what was asked from and these
	Last     int64 // the place of the room's last message, whoever may see it
}

const (
	pageSize  = 50       // messages of a page, at the most
	pageBytes = 32 << 10 // of their texts, at the most; there is always one message
)

// view is what somebody may see of a room, between two places.
type view struct {
	room, id      string
	after, before int64
}

// After returns the last messages in a room that id may see, and that come after
// a place.
func (s *store) After(ctx context.Context, room, id string, after int64) (Page, error) {
	return s.page(ctx, view{room, id, after, math.MaxInt64})
}

// Before returns the last messages in a room that id may see, and that come before
// a place.
func (s *store) Before(ctx context.Context, room, id string, before int64) (Page, error) {
	return s.page(ctx, view{room, id, 0, before})
}

func (s *store) page(ctx context.Context, v view) (Page, error) {
	tx, err := s.reads.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return Page{}, trouble(s.path, err)
	}
	defer tx.Rollback() //nolint:errcheck // it has only read
	p, err := v.read(ctx, tx)
	return p, trouble(s.path, err)
}

func (v view) read(ctx context.Context, tx *sql.Tx) (p Page, err error) {
	if err := tx.QueryRowContext(ctx, `SELECT coalesce(max(last), 0) FROM rooms WHERE room = ?`, v.room).Scan(&p.Last); err != nil {
		return Page{}, err
	}
	rows, err := tx.QueryContext(ctx, visible, v.room, v.after, v.before, v.id, pageSize+1)
	if err != nil {
		return Page{}, err
	}
	defer rows.Close()
	for size := 0; rows.Next(); { // the last first
		m, err := scan(rows)
		if err != nil {
			return Page{}, err
		}
		size += len(m.Text)
		if n := len(p.Messages); n == pageSize || n > 0 && size > pageBytes {
			p.More = true
			break
		}
		p.Messages = append(p.Messages, m)
	}
	slices.Reverse(p.Messages)
	return p, rows.Err()
}

// visible is the last messages of a view: to everybody, to somebody, and of the same
// to others. Each has an index, so that what others write to each other is not read;
// SQLite would take the primary key, and read all of it.
const visible = `SELECT ` + names + ` FROM (SELECT ` + columns + ` FROM messages INDEXED BY messages_to WHERE to_id = ''` + last + `
	UNION ALL SELECT ` + names + ` FROM (SELECT ` + columns + ` FROM messages INDEXED BY messages_to WHERE to_id = ?4 AND ?4 <> ''` + last + `
	UNION ALL SELECT ` + names + ` FROM (SELECT ` + columns + ` FROM messages INDEXED BY messages_alone
		WHERE to_id <> '' AND to_id <> ?4 AND from_id = ?4` + last + `
	ORDER BY seq DESC LIMIT ?5`

const last = ` AND room = ?1 AND seq > ?2 AND seq < ?3 ORDER BY seq DESC LIMIT ?5)`

// columns are those that scan reads.
const (
	columns = `seq, from_id, from_name, to_id, to_name, text, at, coalesce(tag, '') AS tag`
	names   = `seq, from_id, from_name, to_id, to_name, text, at, tag`
)

func scan(row interface{ Scan(to ...any) error }) (m Message, err error) {
	var to Person
	err = row.Scan(&m.Seq, &m.From.ID, &m.From.Name, &to.ID, &to.Name, &m.Text, &m.At, &m.Tag)
	if to.ID != "" {
		m.To = &to
	}
	return m, err
}

// Secret returns what cookies are signed with: it is made with the database.
func (s *store) Secret(ctx context.Context) (secret []byte, err error) {
	err = s.reads.QueryRowContext(ctx, `SELECT value FROM secrets WHERE name = 'cookie'`).Scan(&secret)
	return secret, trouble(s.path, err)
}

// errTaken means that somebody else has the name, or one that looks like it.
var errTaken = errors.New("somebody else has this name")

// Taken reports whether somebody has a name, or one that looks like it.
func (s *store) Taken(ctx context.Context, n folded) (taken bool, err error) {
	err = s.reads.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM people WHERE same = ?)
		OR EXISTS (SELECT 1 FROM looks WHERE look IN (?, ?))`, n.same, n.looks[0], n.looks[1]).Scan(&taken)
	return taken, trouble(s.path, err)
}

// AddPerson gives p its name, unless somebody has it, or one that looks like it.
func (s *store) AddPerson(ctx context.Context, p Person, n folded) error {
	if err := s.there(); err != nil {
		return err
	}
	err := s.addPerson(ctx, p, n)
	if errors.Is(err, errTaken) {
		return err
	}
	return trouble(s.path, err)
}

func (s *store) addPerson(ctx context.Context, p Person, n folded) error {
	tx, err := s.writes.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // nothing is left to be rolled back after Commit
	if err := addRow(ctx, tx, `INSERT INTO people (id, name, same, since) VALUES (?, ?, ?, ?) ON CONFLICT (same) DO NOTHING`,
		p.ID, p.Name, n.same, time.Now().UnixMilli()); err != nil {
		return err
	}
	for _, look := range n.looks {
		if err := addRow(ctx, tx, `INSERT INTO looks (look, id) VALUES (?, ?)
			ON CONFLICT (look) DO UPDATE SET look = look WHERE id = excluded.id`, look, p.ID); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// addRow adds a row, and returns errTaken if it cannot be there beside others.
func addRow(ctx context.Context, tx *sql.Tx, insert string, args ...any) error {
	done, err := tx.ExecContext(ctx, insert, args...)
	if err != nil {
		return err
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
