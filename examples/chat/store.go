package main

import (
	"context"
	"database/sql"
	"errors"
	"math"
	"slices"
	"strings"
	"time"
)

// kept is how many messages of a room are stored.
const kept = 100_000

// readers is the number of connections that read. Each has open files and memory.
const readers = 8

// store is the chat's database: the messages of all rooms, and the names of the people.
// One connection writes; the others read.
type store struct {
	database

	reads  *sql.DB
	writes *sql.DB
	writer *writer
}

// database is what differs between SQLite and PostgreSQL. The statements in this file and
// in writer.go are for both. It has many methods because the store knows neither of them.
type database interface {
	// String returns the file or the URL, without its password.
	String() string
	// open opens the database for reading and for writing. It creates the tables in an
	// empty database, and checks or upgrades those that exist. The caller closes what
	// open returns, also after an error.
	open(ctx context.Context) (reads, writes *sql.DB, err error)
	// check returns an error if what is written now would be lost.
	check() error
	// begin starts a transaction that adds messages to rooms. Until the caller calls
	// done, also after an error, no other process does. done comes after the transaction.
	begin(ctx context.Context, db *sql.DB, rooms []string) (tx *sql.Tx, done func(), err error)
	// visible returns the statement for a query.
	visible() string
	// advise returns what is wrong, and what to do, if the error is a known one.
	advise(err error) string
	// close releases what open has reserved besides the connections.
	close() error
}

// databaseOf returns the database that -db names. shared says that the processes that use
// it share a layer.
func databaseOf(name string, shared bool) database {
	if strings.HasPrefix(name, "postgres://") || strings.HasPrefix(name, "postgresql://") {
		return &postgres{url: name, shared: shared}
	}
	return &sqliteFile{path: name}
}

// openStore opens a database, and creates its tables if it has none. stored is called
// with each message that has been stored, in the order of the positions in its room, and at
// the same time for different rooms, before Add returns.
func openStore(ctx context.Context, d database, stored func(room string, m Message)) (s *store, err error) {
	s = &store{database: d}
	if s.reads, s.writes, err = d.open(ctx); err != nil {
		return nil, errors.Join(s.explain(err), s.closeAll())
	}
	s.reads.SetMaxOpenConns(readers)
	s.reads.SetMaxIdleConns(readers)
	s.writer = startWriter(d, s.writes, stored)
	return s, nil
}

// Close stores the messages that Add has accepted, and closes the database.
func (s *store) Close() error {
	s.writer.stop()
	return s.closeAll()
}

func (s *store) closeAll() (err error) {
	for _, db := range []*sql.DB{s.reads, s.writes} {
		if db != nil {
			err = errors.Join(err, db.Close())
		}
	}
	return errors.Join(err, s.close())
}

// Add stores a message in a room and returns it with its position. If the sender has
// stored a message with this tag before, Add returns that one, and again is true. After
// an error the message may or may not be stored; to be sure, add it again with the same
// tag.
func (s *store) Add(ctx context.Context, room string, m Message) (stored Message, again bool, err error) {
	if err := s.check(); err != nil {
		return Message{}, false, s.explain(err)
	}
	r, err := s.writer.add(ctx, room, m)
	return r.message, r.again, s.explain(err)
}

// Page is a part of a room's messages, oldest first.
type Page struct {
	Messages []Message
	More     bool  // there are older messages between the start of the query and these
	Last     int64 // the position of the room's last message, whether visible or not
}

const (
	pageSize  = 50       // the most messages of a page
	pageBytes = 32 << 10 // the most bytes of their texts; a page has at least one message
)

// query selects the messages of a room that a person may see, between two positions.
type query struct {
	room, id      string
	after, before int64
}

// After returns the last messages of a room that id may see and whose position is
// greater than after.
func (s *store) After(ctx context.Context, room, id string, after int64) (Page, error) {
	return s.page(ctx, query{room, id, after, math.MaxInt64})
}

// Before returns the last messages of a room that id may see and whose position is less
// than before.
func (s *store) Before(ctx context.Context, room, id string, before int64) (Page, error) {
	return s.page(ctx, query{room, id, 0, before})
}

func (s *store) page(ctx context.Context, q query) (Page, error) {
	tx, err := s.reads.BeginTx(ctx, &sql.TxOptions{ReadOnly: true, Isolation: sql.LevelRepeatableRead}) // both statements see the same
	if err != nil {
		return Page{}, s.explain(err)
	}
	defer tx.Rollback() //nolint:errcheck // a read-only transaction
	p, err := q.read(ctx, tx, s.visible())
	return p, s.explain(err)
}

func (q query) read(ctx context.Context, tx *sql.Tx, visible string) (p Page, err error) {
	if err := tx.QueryRowContext(ctx, `SELECT coalesce(max(last), 0) FROM rooms WHERE room = $1`, q.room).Scan(&p.Last); err != nil {
		return Page{}, err
	}
	rows, err := tx.QueryContext(ctx, visible, q.room, q.after, q.before, q.id, pageSize+1)
	if err != nil {
		return Page{}, err
	}
	defer rows.Close()
	for size := 0; rows.Next(); { // the newest first
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

// visible selects the last messages of a query: those for everyone, those for the
// person, and those that the person has sent to others. Each part has an index, so that
// the messages between other people are not read.
const visible = `SELECT ` + names + ` FROM (SELECT ` + columns + ` FROM messages%[1]s WHERE to_id = ''` + last + ` AS everyone
	UNION ALL SELECT ` + names + ` FROM (SELECT ` + columns + ` FROM messages%[1]s WHERE to_id = $4 AND $4 <> ''` + last + ` AS received
	UNION ALL SELECT ` + names + ` FROM (SELECT ` + columns + ` FROM messages%[2]s
		WHERE to_id <> '' AND to_id <> $4 AND from_id = $4` + last + ` AS sent
	ORDER BY seq DESC LIMIT $5`

const last = ` AND room = $1 AND seq > $2 AND seq < $3 ORDER BY seq DESC LIMIT $5)`

// The columns that scan reads.
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

// message returns the message at a position, or nil if it was deleted.
func (s *store) message(ctx context.Context, room string, seq int64) (*Message, error) {
	m, err := scan(s.reads.QueryRowContext(ctx, `SELECT `+columns+` FROM messages WHERE room = $1 AND seq = $2`, room, seq))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil //nolint:nilnil // there is none
	}
	return &m, s.explain(err)
}

// Secret returns the key that signs the cookies. It was created with the database.
func (s *store) Secret(ctx context.Context) (secret []byte, err error) {
	err = s.reads.QueryRowContext(ctx, `SELECT value FROM secrets WHERE name = 'cookie'`).Scan(&secret)
	return secret, s.explain(err)
}

// errTaken is returned for a name that another person has, or that looks like one.
var errTaken = errors.New("another person has this name")

// Taken reports whether another person has the name, or one that looks like it.
func (s *store) Taken(ctx context.Context, n folded) (taken bool, err error) {
	err = s.reads.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM people WHERE same = $1)
		OR EXISTS (SELECT 1 FROM looks WHERE look IN ($2, $3))`, n.same, n.looks[0], n.looks[1]).Scan(&taken)
	return taken, s.explain(err)
}

// AddPerson stores p with its name. It returns errTaken if the name, or one that looks
// like it, is taken.
func (s *store) AddPerson(ctx context.Context, p Person, n folded) error {
	if err := s.check(); err != nil {
		return s.explain(err)
	}
	err := s.addPerson(ctx, p, n)
	if errors.Is(err, errTaken) {
		return err
	}
	return s.explain(err)
}

func (s *store) addPerson(ctx context.Context, p Person, n folded) error {
	tx, err := s.writes.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // it does nothing after Commit
	if err := addRow(ctx, tx, `INSERT INTO people (id, name, same, since) VALUES ($1, $2, $3, $4) ON CONFLICT (same) DO NOTHING`,
		p.ID, p.Name, n.same, time.Now().UnixMilli()); err != nil {
		return err
	}
	for _, look := range slices.Sorted(slices.Values(n.looks)) { // in one order, so that two processes do not wait for each other
		if err := addRow(ctx, tx, `INSERT INTO looks (look, id) VALUES ($1, $2)
			ON CONFLICT (look) DO UPDATE SET look = excluded.look WHERE looks.id = excluded.id`, look, p.ID); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// addRow adds a row, and returns errTaken if the row conflicts with another.
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

// Person returns the person with an ID.
func (s *store) Person(ctx context.Context, id string) (p Person, found bool, err error) {
	err = s.reads.QueryRowContext(ctx, `SELECT id, name FROM people WHERE id = $1`, id).Scan(&p.ID, &p.Name)
	if errors.Is(err, sql.ErrNoRows) {
		return Person{}, false, nil
	}
	return p, err == nil, s.explain(err)
}
