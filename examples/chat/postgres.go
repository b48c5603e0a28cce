package main

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	_ "embed"
	"errors"
	"fmt"
	"hash/fnv"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

//go:embed postgres.sql
var postgresSchema string

// postgresTimeout is how long a transaction that writes may take, and the start of a
// connection. After that it is rolled back, and the sender of a message repeats it.
const postgresTimeout = 10 * time.Second

// postgres is a database of PostgreSQL, which several processes may share. It needs
// connections of its own: a pooler in transaction mode would lose the locks.
type postgres struct {
	url    string
	shared bool
}

// String returns the URL without its password.
func (p *postgres) String() string {
	u, err := url.Parse(p.url)
	if err != nil {
		return "postgres://..." // it may have a password
	}
	return u.Redacted()
}

func (p *postgres) open(ctx context.Context) (reads, writes *sql.DB, err error) {
	config, err := pgx.ParseConfig(p.url)
	if err != nil {
		return nil, nil, fmt.Errorf("its URL is wrong; correct -db: %w", err)
	}
	config.ConnectTimeout = cmp.Or(config.ConnectTimeout, postgresTimeout)
	timeout := strconv.FormatInt(postgresTimeout.Milliseconds(), 10)
	for name, value := range map[string]string{
		"application_name": "chat", "statement_timeout": timeout,
		// The server releases the locks of a machine that is dead.
		"idle_in_transaction_session_timeout": timeout,
		"tcp_keepalives_idle":                 "5", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "2",
	} {
		if config.RuntimeParams[name] == "" {
			config.RuntimeParams[name] = value
		}
	}
	writes = stdlib.OpenDB(*config, stdlib.OptionAfterConnect(func(ctx context.Context, conn *pgx.Conn) error {
		err := p.register(ctx, conn)
		if err != nil { // stdlib does not close a connection that is refused here
			err = errors.Join(err, conn.Close(ctx))
		}
		return err
	}))
	writes.SetMaxOpenConns(1)
	if err := p.prepare(ctx, writes); err != nil {
		return nil, writes, err
	}
	return stdlib.OpenDB(*config), writes, nil
}

// register takes a lock for the connection that writes: processes without a layer take it
// for themselves, as the other processes would not hear of their messages.
func (p *postgres) register(ctx context.Context, conn *pgx.Conn) error {
	try := `SELECT pg_try_advisory_lock($1, 1)`
	if p.shared {
		try = `SELECT pg_try_advisory_lock_shared($1, 1)`
	}
	var alone bool
	if err := conn.QueryRow(ctx, try, applicationID).Scan(&alone); err != nil {
		return err
	}
	if !alone {
		return errSecond
	}
	return nil
}

// prepare creates the tables in an empty database, and checks that those of another one
// are the chat's. One process does it at a time.
func (p *postgres) prepare(ctx context.Context, db *sql.DB) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // it does nothing after Commit
	if _, err := tx.ExecContext(ctx, `SELECT pg_advisory_xact_lock($1, 2)`, applicationID); err != nil {
		return err
	}
	var tables, known, is int
	if err := tx.QueryRowContext(ctx, `SELECT count(*), count(*) FILTER (WHERE tablename IN ('chat', 'people', 'messages'))
		FROM pg_tables WHERE schemaname = current_schema()`).Scan(&tables, &known); err != nil {
		return err
	}
	switch {
	case tables == 0:
		err = p.create(ctx, tx)
	case known < 3:
		err = errForeign
	default:
		err = tx.QueryRowContext(ctx, `SELECT version FROM chat`).Scan(&is)
		if err == nil && is != version {
			err = fmt.Errorf("its version is %d, and this program supports %d: %w", is, version, errForeign)
		}
	}
	if err != nil {
		return err
	}
	return tx.Commit()
}

func (p *postgres) create(ctx context.Context, tx *sql.Tx) error {
	if _, err := tx.ExecContext(ctx, postgresSchema); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO chat (version) VALUES ($1)`, version); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO secrets (name, value) VALUES ('cookie', $1)`, random(32))
	return err
}

func (p *postgres) check() error { return nil }

func (p *postgres) close() error { return nil }

// begin locks the rooms for this process until done. The locks are the connection's and not
// the transaction's, because they last until everyone has been told of the messages.
func (p *postgres) begin(ctx context.Context, db *sql.DB, rooms []string) (tx *sql.Tx, done func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, postgresTimeout) // ends the transaction too
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, cancel, err
	}
	keys := roomKeys(rooms)
	done = func() {
		defer cancel()
		defer conn.Close()
		ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), postgresTimeout)
		defer stop()
		if _, err := conn.ExecContext(ctx, `SELECT pg_advisory_unlock(key) FROM unnest($1::bigint[]) AS key`, keys); err != nil {
			// The server releases the locks of a connection that is closed.
			_ = conn.Raw(func(any) error { return driver.ErrBadConn }) //nolint:errcheck // it is that error
		}
	}
	if _, err := conn.ExecContext(ctx, `SELECT pg_advisory_lock(key) FROM unnest($1::bigint[]) AS key`, keys); err != nil {
		return nil, done, err
	}
	tx, err = conn.BeginTx(ctx, nil)
	return tx, done, err
}

// roomKeys returns the keys of the locks of rooms, in an order that is the same in all
// processes, so that two of them do not wait for each other. If two rooms have the same key,
// they wait for each other's messages.
func roomKeys(rooms []string) []int64 {
	keys := make([]int64, len(rooms))
	for i, room := range rooms {
		h := fnv.New64a()
		_, _ = h.Write([]byte(room)) // never fails
		keys[i] = int64(h.Sum64())   //nolint:gosec // any 64 bits are a key
	}
	slices.Sort(keys)
	return keys
}

func (p *postgres) visible() string { return fmt.Sprintf(visible, "", "") }

// last returns the positions of the last messages of rooms.
func (p *postgres) last(ctx context.Context, db *sql.DB, rooms []string) (map[string]int64, error) {
	all := make(map[string]int64, len(rooms))
	if len(rooms) == 0 {
		return all, nil
	}
	rows, err := db.QueryContext(ctx, `SELECT room, last FROM rooms WHERE room = ANY($1)`, rooms)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var room string
		var last int64
		if err := rows.Scan(&room, &last); err != nil {
			return nil, err
		}
		all[room] = last
	}
	return all, rows.Err()
}
