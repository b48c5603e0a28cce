package main

import (
	"context"
	"errors"
	"fmt"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

var (
	errForeign = errors.New("it is not the database of this chat; choose another file with -db")
	errDamaged = errors.New("it is damaged")
	errMoved   = errors.New("it has been moved, deleted or replaced; put it back, or restart the chat")
)

// advice says what to do about an error of SQLite, by its primary result code.
var advice = map[int]string{
	sqlite3.SQLITE_BUSY:     "another program has locked it; stop that program, or choose another file with -db",
	sqlite3.SQLITE_LOCKED:   "another program has locked it; stop that program, or choose another file with -db",
	sqlite3.SQLITE_FULL:     "the disk is full; make room",
	sqlite3.SQLITE_NOTADB:   "it is not a database, or it is damaged; move it away, or choose another file with -db",
	sqlite3.SQLITE_CORRUPT:  "it is damaged; restore it, or move it away, or choose another file with -db",
	sqlite3.SQLITE_READONLY: "it is read-only; check its owner and mode, or choose another file with -db",
	sqlite3.SQLITE_CANTOPEN: "it cannot be opened; check its folder, or choose another file with -db",
	sqlite3.SQLITE_IOERR:    "the disk fails",
}

// explain adds to an error of the database what is wrong and what to do.
func explain(path string, err error) error {
	if err == nil || errors.Is(err, errStopped) || errors.Is(err, context.Canceled) {
		return err
	}
	const primary = 0xff // the bits above are the extended result code
	if known := (*sqlite.Error)(nil); errors.As(err, &known) && advice[known.Code()&primary] != "" {
		return fmt.Errorf("database %s: %s (%w)", path, advice[known.Code()&primary], err)
	}
	return fmt.Errorf("database %s: %w", path, err)
}
