PRAGMA user_version = 1; -- the number in database.py; a change of the tables is a change of both

CREATE TABLE people (
    number INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE COLLATE NOCASE,
    password TEXT NOT NULL,              -- see passwords.py; '' allows no login
    about TEXT NOT NULL DEFAULT '',
    picture TEXT,                        -- a file name in the folder of pictures
    token BLOB UNIQUE,                   -- SHA-256 of the token for the JSON API
    joined INTEGER NOT NULL
) STRICT;

CREATE TABLE boards (
    number INTEGER PRIMARY KEY,
    slug TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    about TEXT NOT NULL
) STRICT;

CREATE TABLE threads (
    number INTEGER PRIMARY KEY,
    board INTEGER NOT NULL REFERENCES boards,
    author INTEGER NOT NULL REFERENCES people,
    title TEXT NOT NULL,
    started INTEGER NOT NULL,
    views INTEGER NOT NULL DEFAULT 0,
    posts INTEGER NOT NULL DEFAULT 0,    -- these three are kept by a trigger
    last_post INTEGER NOT NULL DEFAULT 0,
    last_author INTEGER REFERENCES people
) STRICT;
CREATE INDEX threads_by_time ON threads (last_post DESC);
CREATE INDEX threads_of_board ON threads (board, last_post DESC);

CREATE TABLE posts (
    number INTEGER PRIMARY KEY,
    thread INTEGER NOT NULL REFERENCES threads,
    author INTEGER NOT NULL REFERENCES people,
    text TEXT NOT NULL,
    written INTEGER NOT NULL,
    changed INTEGER
) STRICT;
CREATE INDEX posts_of_thread ON posts (thread, number);
CREATE INDEX posts_of_author ON posts (author, number DESC);

-- The search index. The rowid is the number of a post; only the first post of a thread has the title.
CREATE VIRTUAL TABLE search USING fts5 (title, text, tokenize = 'unicode61 remove_diacritics 2');

CREATE TRIGGER post_written AFTER INSERT ON posts BEGIN
    INSERT INTO search (rowid, title, text)
        SELECT new.number, iif(posts = 0, title, ''), new.text FROM threads WHERE number = new.thread;
    UPDATE threads SET posts = posts + 1, last_post = new.written, last_author = new.author WHERE number = new.thread;
END;

CREATE TRIGGER post_changed AFTER UPDATE OF text ON posts BEGIN
    UPDATE search SET text = new.text WHERE rowid = new.number;
END;

CREATE TABLE sessions (
    name TEXT PRIMARY KEY,
    data BLOB NOT NULL,
    expires REAL NOT NULL
) STRICT, WITHOUT ROWID;
