-- What is held, what may go, and what has gone.

CREATE TABLE holds (
    id INTEGER PRIMARY KEY AUTOINCREMENT,  -- never given out twice: the audit log names it
    account TEXT NOT NULL,
    case_name TEXT NOT NULL,
    reason TEXT NOT NULL,
    author TEXT NOT NULL,
    start_us INTEGER NOT NULL,
    end_us INTEGER NOT NULL,
    margin_before_us INTEGER NOT NULL,
    margin_after_us INTEGER NOT NULL,
    placed_us INTEGER NOT NULL,
    expires_us INTEGER,
    release_asked_us INTEGER,              -- where a second person has to agree: who asked, and when
    release_asked_by TEXT,
    released_us INTEGER,
    released_by TEXT
) STRICT;
CREATE INDEX holds_by_account ON holds (account, id);

CREATE TABLE hold_streams (
    stream_key INTEGER NOT NULL REFERENCES streams (key),
    hold INTEGER NOT NULL REFERENCES holds (id),
    PRIMARY KEY (stream_key, hold)
) STRICT, WITHOUT ROWID;
CREATE INDEX hold_streams_by_hold ON hold_streams (hold);

-- All caps a stream ever had: what applied last spring can be told.
CREATE TABLE caps (
    stream_key INTEGER NOT NULL REFERENCES streams (key),
    from_us INTEGER NOT NULL,
    hours INTEGER,                         -- NULL: none from here on
    set_by TEXT NOT NULL,
    PRIMARY KEY (stream_key, from_us)
) STRICT, WITHOUT ROWID;

CREATE TABLE sweeps (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account TEXT NOT NULL,
    begun_us INTEGER NOT NULL,
    finished_us INTEGER                    -- NULL: bytes may be gone already; it is taken up again
) STRICT;
CREATE INDEX sweeps_unfinished ON sweeps (id) WHERE finished_us IS NULL;

-- Blocks that the judge gave up. Once `sweep` is set there is no way back.
CREATE TABLE marks (
    block BLOB PRIMARY KEY REFERENCES blocks (id) ON DELETE CASCADE,
    stream_key INTEGER NOT NULL REFERENCES streams (key),
    marked_us INTEGER NOT NULL,
    due_us INTEGER NOT NULL,
    rule TEXT NOT NULL,                    -- JSON: what was decided, under which plan
    sweep INTEGER REFERENCES sweeps (id)
) STRICT, WITHOUT ROWID;
CREATE INDEX marks_by_due ON marks (due_us) WHERE sweep IS NULL;
CREATE INDEX marks_by_sweep ON marks (sweep) WHERE sweep IS NOT NULL;

-- What sweeps removed: the body of their receipts, and the answer to "where did it go".
CREATE TABLE swept (
    sweep INTEGER NOT NULL REFERENCES sweeps (id),
    block BLOB NOT NULL,
    stream_key INTEGER NOT NULL REFERENCES streams (key),
    start_us INTEGER NOT NULL,
    end_us INTEGER NOT NULL,
    size_bytes INTEGER NOT NULL,
    segment_count INTEGER NOT NULL,
    checksum INTEGER,                      -- as in blocks
    marked_us INTEGER NOT NULL,
    due_us INTEGER NOT NULL,
    rule TEXT NOT NULL,
    PRIMARY KEY (sweep, block)
) STRICT, WITHOUT ROWID;
CREATE INDEX swept_by_time ON swept (stream_key, start_us);

-- What a day's last run expected to leave the window until two days later.
CREATE TABLE retention_forecasts (
    account TEXT NOT NULL,
    made_us INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    PRIMARY KEY (account, made_us)
) STRICT, WITHOUT ROWID;

-- One row: where the enforcer stands.
CREATE TABLE retention_state (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    last_run_us INTEGER,
    stopped_us INTEGER,
    stopped_why TEXT,                      -- JSON; NULL: it runs
    confirmed TEXT,                        -- JSON: list of the stops that an operator has seen since the last whole run
    run_asked_us INTEGER,                  -- a command asks the running service for a run
    run_answered_us INTEGER,               -- up to here it has been answered
    run_answer TEXT                        -- JSON: what the last one did
) STRICT;
INSERT INTO retention_state (id) VALUES (1);

-- Media of a block's segments that an erasure took: part of size_bytes, but not footage. segment_count counts the others.
ALTER TABLE blocks ADD COLUMN erased_bytes INTEGER NOT NULL DEFAULT 0;

-- Requests to erase. From the row on nothing of the range is served.
CREATE TABLE erasures (
    id INTEGER PRIMARY KEY AUTOINCREMENT,  -- never given out twice: the audit log names it
    account TEXT NOT NULL,
    stream_key INTEGER REFERENCES streams (key), -- NULL: every stream of the account
    start_us INTEGER NOT NULL,
    end_us INTEGER NOT NULL,
    reason TEXT NOT NULL,
    asked_by TEXT NOT NULL,                -- whose wish it is
    actor TEXT NOT NULL,                   -- who entered it
    asked_us INTEGER NOT NULL,
    finished_us INTEGER                    -- NULL: bytes of it may still be there
) STRICT;
CREATE INDEX erasures_unfinished ON erasures (account) WHERE finished_us IS NULL;
CREATE INDEX erasures_by_account ON erasures (account, id);

-- What erasures took of which block. While gone_us is NULL the rows do not lead to it any more, but its bytes are there.
CREATE TABLE erased (
    erasure INTEGER NOT NULL REFERENCES erasures (id),
    block BLOB NOT NULL,
    stream_key INTEGER NOT NULL REFERENCES streams (key),
    start_us INTEGER NOT NULL,             -- of the first segment that went
    end_us INTEGER NOT NULL,               -- of the last
    whole INTEGER NOT NULL,                -- 1: nothing was left, the file goes too
    segment_count INTEGER NOT NULL,
    size_bytes INTEGER NOT NULL,           -- of media
    checksum INTEGER,                      -- of the block before
    hidden_us INTEGER NOT NULL,
    gone_us INTEGER,
    PRIMARY KEY (erasure, block)
) STRICT, WITHOUT ROWID;
CREATE INDEX erased_pending ON erased (hidden_us, block) WHERE gone_us IS NULL;
CREATE INDEX erased_by_block ON erased (block);
CREATE INDEX erased_by_time ON erased (stream_key, start_us);

-- What went, signed: never changed. Large ones come in parts.
CREATE TABLE receipts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account TEXT NOT NULL,
    kind TEXT NOT NULL,                    -- 'sweep', 'erasure'
    number INTEGER NOT NULL,               -- of the sweep or the erasure
    part INTEGER NOT NULL,                 -- from 1
    made_us INTEGER NOT NULL,
    document TEXT NOT NULL,                -- JSON in canonical form, with its signature
    UNIQUE (kind, number, part)
) STRICT;
CREATE INDEX receipts_by_account ON receipts (account, id);

-- What of a stream's window was there on a day, signed.
CREATE TABLE attestations (
    stream_key INTEGER NOT NULL REFERENCES streams (key),
    day TEXT NOT NULL,                     -- YYYY-MM-DD in the account's time zone
    made_us INTEGER NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (stream_key, day)
) STRICT, WITHOUT ROWID;
