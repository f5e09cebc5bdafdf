-- Footage that is written into a file for somebody to take away.
CREATE TABLE exports (
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,               -- its public name, and the name of its file
    account TEXT NOT NULL,
    streams TEXT NOT NULL,                 -- JSON: list of ids
    start_us INTEGER NOT NULL,
    end_us INTEGER NOT NULL,
    format TEXT NOT NULL,                  -- 'mp4', 'archive'
    note TEXT NOT NULL,                    -- why
    made_by TEXT NOT NULL,                 -- as in the audit log; exported is what they may have when it is written
    created_us INTEGER NOT NULL,
    state TEXT NOT NULL,                   -- 'waiting', 'running', 'done', 'failed', 'cancelled'
    started_us INTEGER,                    -- of the last attempt
    done_bytes INTEGER NOT NULL DEFAULT 0,
    total_bytes INTEGER NOT NULL,          -- of media; while it waits, as far as could be told when it was asked for
    error TEXT,                            -- a sentence for the one who asked
    file_name TEXT,                        -- what it is saved as; set while there is a file
    size_bytes INTEGER,
    sha256 TEXT,
    expires_us INTEGER                     -- when row and file go; NULL: it is not over
) STRICT;
CREATE INDEX exports_by_account ON exports (account, n);
CREATE INDEX exports_to_do ON exports (n) WHERE state IN ('waiting', 'running');
CREATE INDEX exports_over ON exports (expires_us) WHERE expires_us IS NOT NULL;
