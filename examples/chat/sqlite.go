package main

import (
	"context"
	"crypto/rand"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

//go:embed sqlite.sql
var sqliteSchema string

const (
	// applicationID marks a database as a chat's.
	applicationID = 0x57796501
	// version is the version of the schema. Version 1 had no table looks.
	version = 2
	// busy is how long to wait for a database that another program has locked.
	busy = 3 * time.Second
)

// sqliteFile is a database file of SQLite, which one process uses: its positions and the
// events about them have one order only there.
type sqliteFile struct {
	path string
	file os.FileInfo
	lock *sql.DB // another file, which the process has locked
}

func (f *sqliteFile) String() string { return f.path }

func (f *sqliteFile) open(ctx context.Context) (reads, writes *sql.DB, err error) {
	if writes, err = openFile(f.path, "_txlock=immediate"); err != nil {
		return nil, nil, err
	}
	writes.SetMaxOpenConns(1)
	if err := prepare(ctx, writes); err != nil {
		return nil, writes, err
	}
	if f.file, err = os.Stat(f.path); err != nil { // SQLite accepts names that are not files
		return nil, writes, err
	}
	if err := f.lockFile(ctx); err != nil {
		return nil, writes, err
	}
	// In WAL mode readers do not wait for the writer. The mode is written to the file,
	// so prepare comes first: it checks that the file is a chat's.
	if _, err := writes.ExecContext(ctx, `PRAGMA journal_mode = WAL`); err != nil {
		return nil, writes, err
	}
	reads, err = openFile(f.path, "_pragma=query_only(1)&mode=rw") // mode=rw: the file exists by now
	return reads, writes, err
}

// lockFile makes sure that no other process uses the database, until close or the end of
// the process. It locks a second file, so that other programs can read the first one. The
// file's own name decides: SQLite, too, follows symbolic links.
func (f *sqliteFile) lockFile(ctx context.Context) error {
	path, err := filepath.EvalSymlinks(f.path)
	if err != nil {
		return err
	}
	if f.lock, err = openFile(path+"-lock", ""); err != nil {
		return err
	}
	f.lock.SetMaxOpenConns(1) // it keeps the lock while it is idle
	if _, err := f.lock.ExecContext(ctx, `BEGIN EXCLUSIVE`); err != nil {
		if known := (*sqlite.Error)(nil); errors.As(err, &known) && known.Code()&primaryCode == sqlite3.SQLITE_BUSY {
			return errors.Join(errSecond, err)
		}
		return fmt.Errorf("%s-lock: %w", path, err)
	}
	return nil
}

// check returns an error if the file was moved or deleted: what is stored in a deleted
// file is lost when the chat stops.
func (f *sqliteFile) check() error {
	if now, err := os.Stat(f.path); err != nil || !os.SameFile(f.file, now) {
		return errors.Join(errMoved, err)
	}
	return nil
}

func (f *sqliteFile) close() error {
	if f.lock == nil {
		return nil
	}
	return f.lock.Close()
}

func (f *sqliteFile) begin(ctx context.Context, db *sql.DB, _ []string) (tx *sql.Tx, done func(), err error) {
	tx, err = db.BeginTx(ctx, nil) // the only one, because the connection is
	return tx, func() {}, err
}

// visible has INDEXED BY, because SQLite would choose the primary key and read all
// messages of the room.
func (f *sqliteFile) visible() string {
	return fmt.Sprintf(visible, ` INDEXED BY messages_to`, ` INDEXED BY messages_alone`)
}

// openFile opens a database file. A committed transaction survives a crash of the machine
// (synchronous=FULL).
func openFile(path, option string) (*sql.DB, error) {
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
	all := fmt.Sprintf(`%s; PRAGMA application_id = %d; PRAGMA user_version = %d`, sqliteSchema, applicationID, version)
	if _, err := tx.ExecContext(ctx, all); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO secrets (name, value) VALUES ('cookie', $1)`, random(32))
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
