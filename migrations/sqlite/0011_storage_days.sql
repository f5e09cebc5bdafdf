-- How much was stored of a stream at the end of a day (UTC), and what came and went on it. Written once the day is over, and never
-- changed: the next day goes on from it.
CREATE TABLE storage_days (
    stream_key INTEGER NOT NULL REFERENCES streams (key),
    day INTEGER NOT NULL,                  -- since 1970-01-01
    stored_bytes INTEGER NOT NULL,
    added_bytes INTEGER NOT NULL,
    removed_bytes INTEGER NOT NULL,
    PRIMARY KEY (stream_key, day)
) STRICT, WITHOUT ROWID;
CREATE INDEX sweeps_by_end ON sweeps (finished_us) WHERE finished_us IS NOT NULL;
