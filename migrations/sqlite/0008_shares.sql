-- Ranges shown to people without an account, by a link.
CREATE TABLE shares (
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,               -- its public name
    account TEXT NOT NULL,
    hash BLOB NOT NULL UNIQUE,             -- SHA-256 of the secret in the link
    cookie_hash BLOB NOT NULL UNIQUE,      -- SHA-256 of the cookie that opening it gives
    streams TEXT NOT NULL,                 -- JSON: list of ids
    start_us INTEGER NOT NULL,
    end_us INTEGER NOT NULL,
    download INTEGER NOT NULL,             -- 1: files may be taken away, too
    note TEXT NOT NULL,
    made_by TEXT NOT NULL,                 -- as in the audit log; what they lose, the share loses
    created_us INTEGER NOT NULL,
    expires_us INTEGER NOT NULL,
    revoked_us INTEGER,
    revoked_by TEXT,
    opens INTEGER NOT NULL DEFAULT 0,
    last_used_us INTEGER
) STRICT;
CREATE INDEX shares_by_account ON shares (account, n);
