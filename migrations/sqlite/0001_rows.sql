-- Times are microseconds since the Unix epoch, UTC, in columns ending `_us`; ranges are half-open.
-- Run and block ids are the 16 bytes of their ULID.

CREATE TABLE streams (
    key INTEGER PRIMARY KEY,               -- what other tables refer to: eight bytes instead of a name in every row
    id TEXT NOT NULL UNIQUE,
    account TEXT NOT NULL,
    title TEXT NOT NULL,
    source TEXT NOT NULL,                  -- without credentials
    paused INTEGER NOT NULL DEFAULT 0,
    created_us INTEGER NOT NULL,
    removed_us INTEGER,                    -- footage of a removed stream stays
    next_run_ordinal INTEGER NOT NULL DEFAULT 0,
    next_sequence INTEGER NOT NULL DEFAULT 0,
    -- Sums over the stream's blocks that hold at least one segment, kept with every commit.
    blocks INTEGER NOT NULL DEFAULT 0,
    segments INTEGER NOT NULL DEFAULT 0,
    bytes INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE stream_credentials (
    stream_key INTEGER PRIMARY KEY REFERENCES streams (key),
    credentials TEXT NOT NULL              -- `user:password` of the source URL
) STRICT;

-- A camera that reconnects every minute has the same init segment each time.
CREATE TABLE inits (
    sha256 BLOB PRIMARY KEY,
    bytes BLOB NOT NULL                    -- `ftyp moov`
) STRICT, WITHOUT ROWID;

CREATE TABLE runs (
    id BLOB PRIMARY KEY,
    stream_key INTEGER NOT NULL REFERENCES streams (key),
    start_us INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    init BLOB NOT NULL REFERENCES inits (sha256),
    video TEXT,                            -- JSON of media::VideoTrack
    audio TEXT,                            -- JSON of media::AudioTrack
    gaps_before TEXT,                      -- JSON list of media::Gap; NULL: none
    import_key TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX runs_by_import ON runs (stream_key, import_key) WHERE import_key IS NOT NULL;

CREATE TABLE blocks (
    id BLOB PRIMARY KEY,
    stream_key INTEGER NOT NULL REFERENCES streams (key),
    run BLOB NOT NULL REFERENCES runs (id),
    start_us INTEGER NOT NULL,
    end_us INTEGER NOT NULL,               -- start_us while segment_count is 0
    state INTEGER NOT NULL,                -- 0 open, 1 sealed
    first_offset INTEGER NOT NULL,
    first_sequence INTEGER NOT NULL,
    size_bytes INTEGER NOT NULL,
    checksum INTEGER,                      -- the 64 bits as a signed number; NULL while open
    segment_count INTEGER NOT NULL,
    segments BLOB NOT NULL                 -- media::SegmentTable, packed; grows at its end
) STRICT;
CREATE INDEX blocks_by_time ON blocks (stream_key, start_us) WHERE segment_count > 0;
CREATE INDEX blocks_open ON blocks (id) WHERE state = 0;

-- What coverage is made of: one row per unbroken stretch of one run, instead of one per block. Rows of a
-- stream never overlap, nor do they overlap its gaps; the check for overlapping footage looks here.
CREATE TABLE extents (
    stream_key INTEGER NOT NULL REFERENCES streams (key),
    start_us INTEGER NOT NULL,
    end_us INTEGER NOT NULL,
    run BLOB NOT NULL REFERENCES runs (id),
    PRIMARY KEY (stream_key, start_us)
) STRICT, WITHOUT ROWID;

CREATE TABLE gaps (
    stream_key INTEGER NOT NULL REFERENCES streams (key),
    start_us INTEGER NOT NULL,
    end_us INTEGER,                        -- NULL while it lasts: at most the last one of a stream
    cause INTEGER NOT NULL,                -- media::GapCause::code
    detail TEXT NOT NULL,
    PRIMARY KEY (stream_key, start_us)
) STRICT, WITHOUT ROWID;

CREATE TABLE users (
    name TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    password_hash TEXT NOT NULL,           -- PHC string
    language TEXT,
    created_us INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE sessions (
    id_hash BLOB PRIMARY KEY,              -- SHA-256 of the cookie
    user TEXT NOT NULL REFERENCES users (name) ON DELETE CASCADE,
    account TEXT NOT NULL,
    created_us INTEGER NOT NULL,
    expires_us INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_by_user ON sessions (user);
CREATE INDEX sessions_by_expiry ON sessions (expires_us);

CREATE TABLE tokens (
    id TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    name TEXT NOT NULL,
    hash BLOB NOT NULL UNIQUE,             -- SHA-256 of the token
    scopes TEXT NOT NULL,                  -- JSON list
    streams TEXT NOT NULL,                 -- JSON list; empty: all of the account
    created_us INTEGER NOT NULL,
    expires_us INTEGER,
    last_used_us INTEGER
) STRICT, WITHOUT ROWID;

-- Keys the service made for itself.
CREATE TABLE secrets (
    name TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- Facts about the installation: `media_root`, the identity of the media folder these rows belong to.
CREATE TABLE settings (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- `streams` grows with every change that a process running beside this one has to notice.
CREATE TABLE generations (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO generations (name, value) VALUES ('streams', 0);
