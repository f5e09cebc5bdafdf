-- Who did what. Rows are appended in the transaction of what they record, and never changed: each holds the SHA-256 of
-- the one before (audit room). `n` counts from 1 without a hole.
CREATE TABLE audit (
    n INTEGER PRIMARY KEY,
    at_us INTEGER NOT NULL,
    account TEXT,
    actor TEXT NOT NULL,
    act TEXT NOT NULL,
    stream TEXT,                           -- the id, not the key: the record outlives what it is about
    start_us INTEGER,
    end_us INTEGER,
    details TEXT NOT NULL,                 -- JSON object
    prev BLOB NOT NULL,
    hash BLOB NOT NULL
) STRICT;
CREATE INDEX audit_by_stream ON audit (stream, n) WHERE stream IS NOT NULL;
CREATE INDEX audit_by_account ON audit (account, n) WHERE account IS NOT NULL;

-- Nobody who goes through this database's own doors changes or removes a record.
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit BEGIN SELECT raise(ABORT, 'audit records are not changed'); END;
CREATE TRIGGER audit_is_not_removed BEFORE DELETE ON audit BEGIN SELECT raise(ABORT, 'audit records are not removed'); END;
