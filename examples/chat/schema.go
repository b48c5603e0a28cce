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
	// version is the version of the schema. Version 1 had no table looks.
	version = 2
	// busy is how long to wait for a database that another program has locked.
	busy = 3 * time.Second
)

// open opens a database file. A committed transaction survives a crash of the machine
// (synchronous=FULL).
func open(path, option string) (*sql.DB, error) {
	name := url.URL{Scheme: "file", Opaque: url.PathEscape(path), RawQuery: fmt.Sprintf(
		"_pragma=busy_timeout(%d)&_pragma=synchronous(FULL)&%s", busy.Milliseconds(), option)}
	return sql.Open("sqlite", name.String())
}

// prepare creates the schema in a new database. It checks that an existing database is
// a chat's and not damaged, and upgrades it to this version.
func prepare(ctx context.Context, db *sql.DB) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // it does nothing after Commit
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
		err = fmt.Errorf("its version is %d, and this program supports %d: %w", is, version, errForeign)
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

// upgrade upgrades a file of an older version to this one.
func upgrade(ctx context.Context, tx *sql.Tx) error {
	if err := check(ctx, tx); err != nil {
		return err
	}
	return addLooks(ctx, tx)
}

// addLooks upgrades a file of version 1 to version 2. Version 1 allowed names that look
// alike: one of them gets the row in looks.
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
	// A write shows whether the file is read-only.
	_, err := tx.ExecContext(ctx, fmt.Sprintf(`PRAGMA user_version = %d`, version))
	return err
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return b
}
