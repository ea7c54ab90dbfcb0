-- Operators log in with a name and a password; tokens stay, for programs. A password is kept only as its Argon2id hash, a
-- session's token only as its SHA-256.
ALTER TABLE actors ADD COLUMN password TEXT;

CREATE TABLE sessions (
    token_hash BLOB PRIMARY KEY,
    actor      TEXT NOT NULL REFERENCES actors (id),
    opened_ms  BIGINT NOT NULL,
    seen_ms    BIGINT NOT NULL              -- when it was used last, to some minutes
) WITHOUT ROWID;
CREATE INDEX sessions_actor ON sessions (actor, opened_ms);

-- Wrong passwords since the last right one; all names that nobody bears share the empty one.
CREATE TABLE login_tries (
    who   TEXT PRIMARY KEY,
    tries BIGINT NOT NULL
) WITHOUT ROWID;
