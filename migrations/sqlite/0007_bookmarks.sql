-- Moments and ranges that people want to find again.
CREATE TABLE bookmarks (
    id INTEGER PRIMARY KEY AUTOINCREMENT,  -- never given out twice: the audit log names it
    account TEXT NOT NULL,
    stream_key INTEGER NOT NULL REFERENCES streams (key),
    at_us INTEGER NOT NULL,
    end_us INTEGER,                        -- NULL: a moment
    title TEXT NOT NULL,
    note TEXT NOT NULL,
    words TEXT NOT NULL,                   -- title and note in small letters, of any alphabet: what is searched
    author TEXT NOT NULL,
    created_us INTEGER NOT NULL
) STRICT;
CREATE INDEX bookmarks_by_time ON bookmarks (stream_key, at_us);
CREATE INDEX bookmarks_by_account ON bookmarks (account, id);

-- What of a stream is marked is drawn under its footage.
CREATE INDEX marks_by_stream ON marks (stream_key);
