package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

var (
	errForeign = errors.New("it is not the database of this chat; choose another one with -db")
	errDamaged = errors.New("it is damaged")
	errMoved   = errors.New("it has been moved, deleted or replaced; put it back, or restart the chat")
	errSecond  = errors.New("another chat uses it; stop that one, or choose another database with -db, " +
		"or let both share a PostgreSQL and a Redis with -db and -layer")
)

// primaryCode masks the primary result code of SQLite; the bits above are the extended one.
const primaryCode = 0xff

// sqliteAdvice says what to do about an error of SQLite, by its primary result code.
var sqliteAdvice = map[int]string{
	sqlite3.SQLITE_BUSY:     "another program has locked it; stop that program, or choose another file with -db",
	sqlite3.SQLITE_LOCKED:   "another program has locked it; stop that program, or choose another file with -db",
	sqlite3.SQLITE_FULL:     "the disk is full; make room",
	sqlite3.SQLITE_NOTADB:   "it is not a database, or it is damaged; move it away, or choose another file with -db",
	sqlite3.SQLITE_CORRUPT:  "it is damaged; restore it, or move it away, or choose another file with -db",
	sqlite3.SQLITE_READONLY: "it is read-only; check its owner and mode, or choose another file with -db",
	sqlite3.SQLITE_CANTOPEN: "it cannot be opened; check its folder, or choose another file with -db",
	sqlite3.SQLITE_IOERR:    "the disk fails",
}

// advise implements database.
func (f *sqliteFile) advise(err error) string {
	if known := (*sqlite.Error)(nil); errors.As(err, &known) {
		return sqliteAdvice[known.Code()&primaryCode]
	}
	return ""
}

// postgresAdvice says what to do about an error of PostgreSQL, by its SQLSTATE.
var postgresAdvice = map[string]string{
	"28P01": "the user or the password is wrong; correct -db",
	"28000": "it does not let this user in; correct -db, or its pg_hba.conf",
	"3D000": "there is no such database; create it with createdb, or correct -db",
	"42501": "the user has no right to do that; give it the schema and its tables, or correct -db",
	"25006": "it is read-only; choose the primary server with -db",
	"53100": "the disk is full; make room",
	"53300": "it has too many connections; raise max_connections",
	"57P01": "it is stopping",
	"57P03": "it is starting or stopping",
}

// advise implements database.
func (p *postgres) advise(err error) string {
	if known := (*pgconn.PgError)(nil); errors.As(err, &known) {
		return postgresAdvice[known.Code]
	}
	if known := (*pgconn.ConnectError)(nil); errors.As(err, &known) {
		return "it cannot be reached; start it, or correct -db"
	}
	return ""
}

// explain adds to an error of the database what is wrong and what to do.
func (s *store) explain(err error) error {
	if err == nil || errors.Is(err, errStopped) || errors.Is(err, context.Canceled) {
		return err
	}
	if advice := s.advise(err); advice != "" && !errors.Is(err, errSecond) {
		return fmt.Errorf("database %s: %s (%w)", s, advice, err)
	}
	return fmt.Errorf("database %s: %w", s, err)
}
