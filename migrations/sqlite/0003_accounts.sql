-- Customers, what they bought and when, and what that cost. Amounts are integers in minor units of a currency.

CREATE TABLE accounts (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    zone TEXT NOT NULL,                    -- IANA name; months of windows and terms are counted in it
    language TEXT NOT NULL,                -- `en`, `fr`
    created_us INTEGER NOT NULL,
    release_needs_second INTEGER NOT NULL DEFAULT 0 -- a hold is released by someone other than who asks for it
) STRICT, WITHOUT ROWID;

-- What operators added to the catalogue; the built-in plans are in the program.
CREATE TABLE plans (
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    definition TEXT NOT NULL,              -- JSON of plans::Plan
    created_us INTEGER NOT NULL,
    PRIMARY KEY (name, version)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER plans_are_not_changed BEFORE UPDATE ON plans BEGIN SELECT raise(ABORT, 'a version of a plan is not changed'); END;

CREATE TABLE subscriptions (
    account TEXT PRIMARY KEY REFERENCES accounts (id),
    plan TEXT NOT NULL,
    plan_version INTEGER NOT NULL,
    start_us INTEGER NOT NULL,             -- of the first term; later ones are counted from here, so that a 31st stays a 31st
    term_months INTEGER NOT NULL,
    renews INTEGER NOT NULL,
    settled_terms INTEGER NOT NULL,        -- so many terms have begun and are in the ledger
    scheduled_plan TEXT,                   -- the downgrade at the end of a term: at most one
    scheduled_version INTEGER,
    scheduled_us INTEGER,
    version INTEGER NOT NULL               -- grows with every change: who changes names the one they saw
) STRICT, WITHOUT ROWID;

-- Which plan held from when on. The window of footage follows from this and nothing else.
CREATE TABLE plan_history (
    n INTEGER PRIMARY KEY,                 -- of two that begin at once the later holds
    account TEXT NOT NULL REFERENCES accounts (id),
    from_us INTEGER NOT NULL,
    plan TEXT NOT NULL,
    plan_version INTEGER NOT NULL
) STRICT;
CREATE INDEX plan_history_by_account ON plan_history (account, from_us, n);

CREATE TABLE ledger (
    n INTEGER PRIMARY KEY,
    account TEXT NOT NULL REFERENCES accounts (id),
    at_us INTEGER NOT NULL,
    amount_minor INTEGER NOT NULL,         -- what the account owes more; negative: less
    currency TEXT NOT NULL,
    kind TEXT NOT NULL,                    -- `term`, `upgrade`
    details TEXT NOT NULL                  -- JSON: what the amount was computed from
) STRICT;
CREATE INDEX ledger_by_account ON ledger (account, n);

-- Requests to change a plan, as they were written.
CREATE TABLE written_requests (
    n INTEGER PRIMARY KEY,
    account TEXT NOT NULL REFERENCES accounts (id),
    at_us INTEGER NOT NULL,
    actor TEXT NOT NULL,
    act TEXT NOT NULL,                     -- as in the audit log
    words TEXT NOT NULL
) STRICT;
CREATE INDEX written_requests_by_account ON written_requests (account, n);

CREATE TABLE usage (
    account TEXT NOT NULL REFERENCES accounts (id),
    grant_key TEXT NOT NULL,
    period_us INTEGER NOT NULL,            -- where the period begins
    used INTEGER NOT NULL,
    PRIMARY KEY (account, grant_key, period_us)
) STRICT, WITHOUT ROWID;

-- What was recorded before there were plans was kept for ever, and an update takes nothing away.
INSERT INTO accounts (id, name, zone, language, created_us) VALUES ('main', 'Main', 'UTC', 'en', 0);
INSERT INTO accounts (id, name, zone, language, created_us)
    SELECT account, account, 'UTC', 'en', 0 FROM
        (SELECT account FROM streams UNION SELECT account FROM users UNION SELECT account FROM tokens) WHERE account <> 'main';
INSERT INTO subscriptions (account, plan, plan_version, start_us, term_months, renews, settled_terms, version)
    SELECT id, 'premium', 1, 0, 12, 1, 0, 1 FROM accounts;
INSERT INTO plan_history (account, from_us, plan, plan_version) SELECT id, 0, 'premium', 1 FROM accounts;

-- Who could sign in before there were roles could do everything.
ALTER TABLE users ADD COLUMN role TEXT NOT NULL DEFAULT 'operator'; -- `viewer`, `manager`, `auditor`, `operator`
ALTER TABLE users ADD COLUMN streams TEXT;                          -- JSON list of what a viewer may watch; NULL: all of the account
-- The same goes for tokens: they administered the installation.
UPDATE tokens SET scopes = json_insert(scopes, '$[#]', 'operate') WHERE EXISTS (SELECT 1 FROM json_each(scopes) WHERE value = 'admin');

-- An empty `password_hash` is no password: who is invited chooses one with their link.
ALTER TABLE users ADD COLUMN disabled_us INTEGER;                   -- since when they may not sign in; NULL: they may

-- Sessions are listed and revoked by a name that is not the cookie.
ALTER TABLE sessions ADD COLUMN id TEXT;
ALTER TABLE sessions ADD COLUMN seen_us INTEGER;                    -- to a minute
ALTER TABLE sessions ADD COLUMN address TEXT NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN agent TEXT NOT NULL DEFAULT '';     -- what the browser calls itself
UPDATE sessions SET id = 's' || lower(hex(randomblob(6)));
CREATE UNIQUE INDEX sessions_by_id ON sessions (id);

ALTER TABLE tokens ADD COLUMN role TEXT;                            -- in place of scopes, which are empty then
ALTER TABLE tokens ADD COLUMN made_by TEXT;                         -- as in the audit log; NULL: nobody wrote it down

-- One-time links with which people choose a password. One a user: a new one takes the place of the old.
CREATE TABLE links (
    user TEXT PRIMARY KEY REFERENCES users (name) ON DELETE CASCADE,
    hash BLOB NOT NULL UNIQUE,             -- SHA-256 of what is in the link
    kind TEXT NOT NULL,                    -- `invitation`, `reset`
    made_by TEXT NOT NULL,
    created_us INTEGER NOT NULL,
    expires_us INTEGER NOT NULL,
    used_us INTEGER                        -- kept, so that who comes a second time is told why it does not open
) STRICT, WITHOUT ROWID;
