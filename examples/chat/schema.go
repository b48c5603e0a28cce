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
	// version is that of the schema.
	version = 1
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
