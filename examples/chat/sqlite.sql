-- The schema of a new database file. To change it, change postgres.sql too, raise version
-- in sqlite.go, and let prepare upgrade older files.

CREATE TABLE people (
	id    TEXT PRIMARY KEY,
	name  TEXT NOT NULL,
	same  TEXT NOT NULL UNIQUE, -- equal for names that are the same
	since INTEGER NOT NULL -- Unix milliseconds, as all times here
) STRICT;

-- The keys of names that look alike; see likeness in names.go. A name has one or two
-- keys, which no other name has.
CREATE TABLE looks (
	look TEXT PRIMARY KEY,
	id   TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE rooms (
	room TEXT PRIMARY KEY,
	last INTEGER NOT NULL -- the position of the last message there has been, even if it was deleted
) STRICT, WITHOUT ROWID;

CREATE TABLE messages (
	room      TEXT NOT NULL,
	seq       INTEGER NOT NULL, -- the position in the room, from 1; positions of deleted messages are not used again
	from_id   TEXT NOT NULL,
	from_name TEXT NOT NULL,
	to_id     TEXT NOT NULL, -- '' for everyone
	to_name   TEXT NOT NULL,
	text      TEXT NOT NULL,
	at        INTEGER NOT NULL,
	tag       TEXT, -- the sender's; a second message with the same tag is not stored
	PRIMARY KEY (room, seq),
	UNIQUE (room, from_id, tag)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER messages_place AFTER INSERT ON messages BEGIN
	INSERT INTO rooms VALUES (new.room, new.seq) ON CONFLICT (room) DO UPDATE SET last = max(last, new.seq);
END;

-- Indexes for the messages that one person may see, so that reading them takes no
-- longer if there are many messages between other people; see query in store.go.
CREATE INDEX messages_to ON messages (room, to_id, seq);
CREATE INDEX messages_alone ON messages (room, from_id, seq) WHERE to_id <> '';

CREATE TABLE secrets (
	name  TEXT PRIMARY KEY,
	value BLOB NOT NULL
) STRICT;
