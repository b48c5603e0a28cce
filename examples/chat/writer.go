package main

import (
	"context"
	"database/sql"
	"errors"
)

// batch is how many messages one transaction stores at the most.
const batch = 256

// writer stores messages, all that wait in one transaction: to be sure that they
// are on the disk takes the time, for one as for many.
type writer struct {
	db      *sql.DB
	told    func(room string, m Message)
	waiting chan *addition
	quit    chan struct{} // closed: stop when nothing waits
	done    chan struct{} // closed: it has
}

// addition is a message that is to be stored.
type addition struct {
	room   string
	result result
	stored chan struct{} // closed when there is a result
}

type result struct {
	message Message
	again   bool // it was there before
	err     error
}

// errStopped means that the store is being closed.
var errStopped = errors.New("the chat is shutting down")

func startWriter(db *sql.DB, told func(room string, m Message)) *writer {
	w := &writer{db: db, told: told, waiting: make(chan *addition), quit: make(chan struct{}), done: make(chan struct{})}
	go w.run()
	return w
}

// add waits until m is stored. If ctx ends before, it may be stored all the same.
func (w *writer) add(ctx context.Context, room string, m Message) (result, error) {
	a := &addition{room: room, result: result{message: m}, stored: make(chan struct{})}
	select {
	case w.waiting <- a:
	case <-w.quit:
		return result{}, errStopped
	case <-ctx.Done():
		return result{}, ctx.Err()
	}
	select {
	case <-a.stored:
		return a.result, a.result.err
	case <-ctx.Done():
		return result{}, ctx.Err()
	}
}

// stop returns when everything that was taken is stored.
func (w *writer) stop() {
	close(w.quit)
	<-w.done
}

func (w *writer) run() {
	defer close(w.done)
	for {
		select {
		case a := <-w.waiting:
			w.write(w.more(a))
		case <-w.quit:
			return
		}
	}
}

// more returns a and what else waits by now.
func (w *writer) more(a *addition) []*addition {
	all := []*addition{a}
	for len(all) < batch {
		select {
		case a := <-w.waiting:
			all = append(all, a)
		default:
			return all
		}
	}
	return all
}

// write stores all, or nothing, and tells.
func (w *writer) write(all []*addition) {
	err := w.store(all)
	for _, a := range all {
		switch {
		case err != nil:
			a.result = result{err: err}
		case !a.result.again:
			w.told(a.room, a.result.message)
		}
		close(a.stored)
	}
}

func (w *writer) store(all []*addition) error {
	ctx := context.Background() // what is taken is stored, also if nobody waits any more
	tx, err := w.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // nothing is left to be rolled back after Commit
	for _, a := range all {
		if err := a.insert(ctx, tx); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// insert gives the message the next place in its room, unless it is there already.
// The room's oldest goes if there are too many.
func (a *addition) insert(ctx context.Context, tx *sql.Tx) error {
	m := &a.result.message
	to := Person{}
	if m.To != nil {
		to = *m.To
	}
	tag := sql.NullString{String: m.Tag, Valid: m.Tag != ""}
	err := tx.QueryRowContext(ctx, `INSERT INTO messages
		(room, seq, from_id, from_name, to_id, to_name, text, at, tag)
		SELECT ?1, coalesce((SELECT last FROM rooms WHERE room = ?1), 0) + 1, ?2, ?3, ?4, ?5, ?6, ?7, ?8 WHERE true
		ON CONFLICT (room, from_id, tag) DO NOTHING RETURNING seq`,
		a.room, m.From.ID, m.From.Name, to.ID, to.Name, m.Text, m.At, tag).Scan(&m.Seq)
	if errors.Is(err, sql.ErrNoRows) {
		a.result.again = true
		*m, err = scan(tx.QueryRowContext(ctx, `SELECT `+columns+` FROM messages WHERE room = ? AND from_id = ? AND tag = ?`,
			a.room, m.From.ID, tag))
		return err
	}
	if err != nil || m.Seq <= kept {
		return err
	}
	_, err = tx.ExecContext(ctx, `DELETE FROM messages WHERE room = ? AND seq <= ?`, a.room, m.Seq-kept)
	return err
}
