package main

import (
	"context"
	"database/sql"
	"errors"
	"maps"
	"slices"
	"sync"
)

// batch is the largest number of messages in one transaction.
const batch = 256

// writer stores all messages that wait in one transaction, because syncing the disk
// takes as long for one message as for many.
type writer struct {
	database database
	db       *sql.DB
	stored   func(room string, m Message) // called at the same time for different rooms
	waiting  chan *addition
	quit     chan struct{} // closed: the writer stops when no message waits
	done     chan struct{} // closed when the writer has stopped
}

// addition is a message to store.
type addition struct {
	room   string
	result result
	stored chan struct{} // closed when there is a result
}

type result struct {
	message Message
	again   bool // the message was stored before
	err     error
}

// errStopped is returned when the store is closing.
var errStopped = errors.New("the chat is shutting down")

func startWriter(d database, db *sql.DB, stored func(room string, m Message)) *writer {
	w := &writer{
		database: d, db: db, stored: stored,
		waiting: make(chan *addition), quit: make(chan struct{}), done: make(chan struct{}),
	}
	go w.run()
	return w
}

// add stores m and returns when it is stored. If ctx ends before, m may be stored
// nevertheless.
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

// stop returns when every message that the writer has accepted is stored.
func (w *writer) stop() {
	close(w.quit)
	<-w.done
}

func (w *writer) run() {
	defer close(w.done)
	for {
		select {
		case a := <-w.waiting:
			w.write(w.collect(a))
		case <-w.quit:
			return
		}
	}
}

// collect returns a and the other messages that wait now, up to batch.
func (w *writer) collect(a *addition) []*addition {
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

// write stores all messages or none, and notifies about each stored one. Other processes
// store and notify about messages of the same rooms before or after that, so that what
// everyone is told has the order of the positions.
func (w *writer) write(all []*addition) {
	rooms := make(map[string][]*addition, 1)
	for _, a := range all {
		rooms[a.room] = append(rooms[a.room], a)
	}
	done, err := w.store(all, slices.Collect(maps.Keys(rooms)))
	defer done()
	if err != nil {
		for _, a := range all {
			a.result = result{err: err}
			close(a.stored)
		}
		return
	}
	// Rooms are notified at the same time: a layer over a network takes as long for all
	// of them as for one.
	var others sync.WaitGroup
	for _, messages := range rooms {
		if len(rooms) == 1 {
			w.notify(messages)
		} else {
			others.Go(func() { w.notify(messages) })
		}
	}
	others.Wait()
}

// notify notifies about the messages of one room, in their order.
func (w *writer) notify(messages []*addition) {
	for _, a := range messages {
		if !a.result.again {
			w.stored(a.room, a.result.message)
		}
		close(a.stored)
	}
}

// store stores all messages or none. The caller calls done, also after an error, when it
// has notified about them.
func (w *writer) store(all []*addition, rooms []string) (done func(), err error) {
	ctx := context.Background() // an accepted message is stored even if its sender has gone
	tx, done, err := w.database.begin(ctx, w.db, rooms)
	if err != nil {
		return done, err
	}
	defer tx.Rollback() //nolint:errcheck // it does nothing after Commit
	for _, a := range all {
		if err := a.insert(ctx, tx); err != nil {
			return done, err
		}
	}
	return done, tx.Commit()
}

// insert gives the message the next position in its room, unless it was stored before.
// It deletes the oldest message of a room that has too many.
func (a *addition) insert(ctx context.Context, tx *sql.Tx) error {
	m := &a.result.message
	to := Person{}
	if m.To != nil {
		to = *m.To
	}
	tag := sql.NullString{String: m.Tag, Valid: m.Tag != ""}
	err := tx.QueryRowContext(ctx, `INSERT INTO messages
		(room, seq, from_id, from_name, to_id, to_name, text, at, tag)
		VALUES ($1, coalesce((SELECT last FROM rooms WHERE room = $1), 0) + 1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (room, from_id, tag) DO NOTHING RETURNING seq`,
		a.room, m.From.ID, m.From.Name, to.ID, to.Name, m.Text, m.At, tag).Scan(&m.Seq)
	if errors.Is(err, sql.ErrNoRows) {
		a.result.again = true
		*m, err = scan(tx.QueryRowContext(ctx, `SELECT `+columns+` FROM messages WHERE room = $1 AND from_id = $2 AND tag = $3`,
			a.room, m.From.ID, tag))
		return err
	}
	if err != nil || m.Seq <= kept {
		return err
	}
	_, err = tx.ExecContext(ctx, `DELETE FROM messages WHERE room = $1 AND seq <= $2`, a.room, m.Seq-kept)
	return err
}
