-- What the chat keeps, in a new file. Whoever changes it raises version in schema.go
-- and has prepare bring older files there.

CREATE TABLE people (
	id    TEXT PRIMARY KEY,
	name  TEXT NOT NULL,
	same  TEXT NOT NULL UNIQUE, -- equal for names that people take for the same
	since INTEGER NOT NULL      -- Unix milliseconds, as all times here
) STRICT;

-- What people see of a name who do not look closely; see likeness in names.go. A name has
-- one or two, and no other name has them.
CREATE TABLE looks (
	look TEXT PRIMARY KEY,
	id   TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE rooms (
	room TEXT PRIMARY KEY,
	last INTEGER NOT NULL -- the place of the last message there has been, also if it is gone
) STRICT, WITHOUT ROWID;

CREATE TABLE messages (
	room      TEXT NOT NULL,
	seq       INTEGER NOT NULL, -- its place in the room, from 1; those that are deleted are not given again
	from_id   TEXT NOT NULL,
	from_name TEXT NOT NULL,
	to_id     TEXT NOT NULL,    -- '' for everybody
	to_name   TEXT NOT NULL,
	text      TEXT NOT NULL,
	at        INTEGER NOT NULL,
	tag       TEXT,             -- the writer's own; a second message with it is the same
	PRIMARY KEY (room, seq),
	UNIQUE (room, from_id, tag)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER messages_place AFTER INSERT ON messages BEGIN
	INSERT INTO rooms VALUES (new.room, new.seq) ON CONFLICT (room) DO UPDATE SET last = max(last, new.seq);
END;

-- Whoever opens a room finds his page of it, however much others have written to each
-- other in it; see view in store.go.
CREATE INDEX messages_to ON messages (room, to_id, seq);
CREATE INDEX messages_alone ON messages (room, from_id, seq) WHERE to_id <> '';

CREATE TABLE secrets (
	name  TEXT PRIMARY KEY,
	value BLOB NOT NULL
) STRICT;
