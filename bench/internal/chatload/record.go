package chatload

import "time"

// record is all that one person knows when everything is over.
type record struct {
	room  string
	lines bool   // talks in lines, which have no seq and no tag
	id    string // what the chat calls this person
	said  []said
	heard []heard
}

// said is something that a person has said.
type said struct {
	to    int           // whom only, by number, or everybody
	at    time.Duration // when first
	acked time.Duration // when acknowledged, or 0
	seq   int64         // what it was acknowledged with
	live  bool          // acknowledged without having been away
	tries int
}

const everybody = -1

// heard is a message that a person has received.
type heard struct {
	id   id
	seq  int64
	at   time.Duration
	live bool // and not as history, after having been away
}

// row is a message that is stored.
type row struct {
	room      string
	seq       int64
	from, to  string // IDs; to is "" if it is for everybody
	text, tag string
}
