-- The journal, schema 1. The format is described in src/adapter/store/mod.rs. A released file is never edited: its
-- checksum is stored in every database that was made by it.

-- "CYJ1": this file is a journal of this program.
PRAGMA application_id = 1129925169;

-- One row: what the file is, and a number to be changed when it is tried whether the disk takes a commit.
CREATE TABLE journal (
    one   INTEGER PRIMARY KEY CHECK (one = 1),
    id    TEXT NOT NULL,
    probe INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE entry (
    n      INTEGER PRIMARY KEY,
    hash   BLOB NOT NULL,
    lane   INTEGER NOT NULL,
    kind   TEXT NOT NULL,
    source TEXT NOT NULL,
    epoch  TEXT NOT NULL,
    seq    INTEGER NOT NULL,
    body   INTEGER NOT NULL,
    bytes  TEXT NOT NULL
) STRICT;

CREATE INDEX entry_lane ON entry (lane, n);

-- By blocks of 4,096 entries, so that a commit writes to a few dozen pages of this index however many devices there are;
-- with the fingerprint, so that a look-up reads nothing else.
CREATE INDEX entry_origin ON entry (n >> 12, source, epoch, seq, body);

CREATE TABLE private (
    n     INTEGER PRIMARY KEY,
    salt  TEXT NOT NULL,
    bytes TEXT NOT NULL
) STRICT;

CREATE TABLE state (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL,
    sum   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
