package main

import (
	"context"
	"crypto/rand"
	"database/sql"
	_ "embed"
	"fmt"
	"net/url"
	"time"

	_ "modernc.org/sqlite" // the driver
)

//go:embed schema.sql
var schema string

const (
	// applicationID marks a database as a chat's.
	applicationID = 0x57796501
	// version is that of the schema. Version 1 had no table looks.
	version = 2
	// busy is how long the database may be locked by somebody else.
	busy = 3 * time.Second
)

// open opens a file. What has been committed is on the disk, also if the machine
// stops (synchronous=FULL).
func open(path, option string) (*sql.DB, error) {
	name := url.URL{Scheme: "file", Opaque: url.PathEscape(path), RawQuery: fmt.Sprintf(
		"_pragma=busy_timeout(%d)&_pragma=synchronous(FULL)&%s", busy.Milliseconds(), option)}
	return sql.Open("sqlite", name.String())
}

// prepare makes the schema, if the database is new, and otherwise sees whether it
// is a chat's and sound.
func prepare(ctx context.Context, db *sql.DB) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // nothing is left to be rolled back after Commit
	var id, is, tables int
	err = tx.QueryRowContext(ctx, `SELECT application_id, user_version, (SELECT count(*) FROM sqlite_schema)
		FROM pragma_application_id, pragma_user_version`).Scan(&id, &is, &tables)
	switch {
	case err != nil:
	case tables == 0:
		err = create(ctx, tx)
	case id != applicationID:
		err = errForeign
	case is == 1:
		err = upgrade(ctx, tx)
	case is != version:
		err = fmt.Errorf("it is of version %d, and this program knows %d: %w", is, version, errForeign)
	default:
		err = check(ctx, tx)
	}
	if err != nil {
		return err
	}
	return tx.Commit()
}

func create(ctx context.Context, tx *sql.Tx) error {
	all := fmt.Sprintf(`%s; PRAGMA application_id = %d; PRAGMA user_version = %d`, schema, applicationID, version)
	if _, err := tx.ExecContext(ctx, all); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO secrets (name, value) VALUES ('cookie', ?)`, random(32))
	return err
}

// upgrade brings a file of an older version to this one.
func upgrade(ctx context.Context, tx *sql.Tx) error {
	if err := check(ctx, tx); err != nil {
		return err
	}
	return addLooks(ctx, tx)
}

// addLooks brings a file of version 1 to version 2. Of names that look alike, which
// could be had then, one keeps others from looking like it.
func addLooks(ctx context.Context, tx *sql.Tx) error {
	if _, err := tx.ExecContext(ctx, `CREATE TABLE looks (look TEXT PRIMARY KEY, id TEXT NOT NULL) STRICT, WITHOUT ROWID`); err != nil {
		return err
	}
	rows, err := tx.QueryContext(ctx, `SELECT id, name, same FROM people`)
	if err != nil {
		return err
	}
	defer rows.Close()
	looks := make(map[string]string)
	for rows.Next() {
		var id, name, same string
		if err := rows.Scan(&id, &name, &same); err != nil {
			return err
		}
		looks[likeness(name)], looks[likeness(same)] = id, id
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for look, id := range looks {
		if _, err := tx.ExecContext(ctx, `INSERT INTO looks (look, id) VALUES (?, ?)`, look, id); err != nil {
			return err
		}
	}
	return nil
}

func check(ctx context.Context, tx *sql.Tx) error {
	var found string
	if err := tx.QueryRowContext(ctx, `PRAGMA quick_check(1)`).Scan(&found); err != nil {
		return err
	}
	if found != "ok" {
		return fmt.Errorf("%w: %s", errDamaged, found)
	}
	// Whether it can be written to shows when that is done.
	_, err := tx.ExecContext(ctx, fmt.Sprintf(`PRAGMA user_version = %d`, version))
	return err
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return b
}
