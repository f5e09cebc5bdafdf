-- Keys of signed addresses. A new one signs from now on; those before it still open what they signed, until they are removed.
CREATE TABLE signing_keys (
    id INTEGER PRIMARY KEY AUTOINCREMENT,  -- stands in every token; never given out twice
    key BLOB NOT NULL,
    created_us INTEGER NOT NULL
) STRICT;
INSERT INTO signing_keys (id, key, created_us) SELECT 1, value, 0 FROM secrets WHERE name = 'url_signing_key';
DELETE FROM secrets WHERE name = 'url_signing_key';
