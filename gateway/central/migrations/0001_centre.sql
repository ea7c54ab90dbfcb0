-- The centre's store. Amounts are whole fen; times are Unix milliseconds (`_ms`) or civil days of Asia/Shanghai.

-- Values that are made once with the database: stream, hotlist_salt.
CREATE TABLE facts (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

-- Identities. A token is kept only as its SHA-256.
CREATE TABLE gateways (
    id            TEXT PRIMARY KEY,
    token_hash    BLOB NOT NULL UNIQUE,
    trusted       BIGINT NOT NULL,          -- 1: its very first journal needs no approval
    closed_reason TEXT,                     -- why holds are refused; NULL: sales are open
    journal       TEXT,                     -- the journal it used last
    last_seen_ms  BIGINT
);

CREATE TABLE actors (
    id         TEXT PRIMARY KEY,
    token_hash BLOB NOT NULL UNIQUE,
    role       TEXT NOT NULL
);

-- Journals of gateways, and the chain of their entries.
CREATE TABLE journals (
    id            INTEGER PRIMARY KEY,
    gateway       TEXT NOT NULL REFERENCES gateways (id),
    journal       TEXT NOT NULL,
    approved      BIGINT NOT NULL,
    first_seen_ms BIGINT NOT NULL,
    head_n        BIGINT NOT NULL,          -- end of the gapless verified prefix; 0: none
    head_hash     BLOB NOT NULL,
    entries       BIGINT NOT NULL,          -- numbers known; more than head_n: there is a gap
    forked_n      BIGINT,                   -- the lowest number seen with two hashes or a wrong link
    UNIQUE (gateway, journal)
);

CREATE TABLE chain (
    journal BIGINT NOT NULL,
    n       BIGINT NOT NULL,
    hash    BLOB NOT NULL,
    linked  BIGINT NOT NULL,                -- 1: verified against the hash of n - 1
    outcome TEXT NOT NULL,
    reason  TEXT,
    bytes   TEXT,                           -- kept only until linked
    PRIMARY KEY (journal, n)
) WITHOUT ROWID;

-- What came with a number that has another hash, or with a hash that does not follow: the other branch of a fork, from
-- which the chain goes on once a person approved it.
CREATE TABLE forks (
    journal BIGINT NOT NULL,
    n       BIGINT NOT NULL,
    hash    BLOB NOT NULL,
    outcome TEXT NOT NULL,
    reason  TEXT,
    bytes   TEXT NOT NULL,
    PRIMARY KEY (journal, n, hash)
) WITHOUT ROWID;

CREATE TABLE entries (
    id          INTEGER PRIMARY KEY,
    origin      TEXT NOT NULL,
    kind        TEXT NOT NULL,
    about       TEXT,
    gateway     TEXT NOT NULL,
    journal     BIGINT NOT NULL,
    n           BIGINT,
    received_ms BIGINT NOT NULL,
    bytes       TEXT NOT NULL,
    UNIQUE (origin, kind)
);

-- Personal data beside an entry; erasing it leaves the chain whole.
CREATE TABLE private_records (
    entry BIGINT PRIMARY KEY REFERENCES entries (id),
    salt  TEXT NOT NULL,
    bytes TEXT NOT NULL
);

-- What was not taken, for people to see.
CREATE TABLE quarantine (
    id          INTEGER PRIMARY KEY,
    gateway     TEXT NOT NULL,
    journal     TEXT NOT NULL,
    n           BIGINT,
    outcome     TEXT NOT NULL,
    reason      TEXT NOT NULL,
    origin      TEXT,
    kind        TEXT,
    digest      BLOB NOT NULL,
    bytes       TEXT NOT NULL,
    received_ms BIGINT NOT NULL,
    UNIQUE (gateway, journal, digest)
);

-- Alarms. `state` is the highest step known (0 raised .. 5 resolved).
CREATE TABLE alarms (
    id          TEXT PRIMARY KEY,
    origin      TEXT NOT NULL,
    variant     BIGINT NOT NULL,            -- 0; from 1 for the same origin with another body
    gateway     TEXT NOT NULL,
    device      TEXT,
    kind        TEXT NOT NULL,
    urgency     TEXT NOT NULL,
    state       BIGINT NOT NULL,
    recorded_at TEXT NOT NULL,
    received_ms BIGINT NOT NULL,
    body        TEXT NOT NULL,
    follows     TEXT,                       -- the resolved alarm that a further press was about
    UNIQUE (origin, variant)
);
CREATE INDEX alarms_open ON alarms (received_ms) WHERE state < 5;
CREATE INDEX alarms_received ON alarms (received_ms);

-- What happened to an alarm after it was raised, from gateways and from people at the centre.
CREATE TABLE alarm_events (
    id          INTEGER PRIMARY KEY,
    alarm       TEXT NOT NULL,              -- origin of the alarm
    variant     BIGINT NOT NULL,
    what        TEXT NOT NULL,              -- step | repeated | cancelled
    state       BIGINT,
    actor       TEXT,
    cause       TEXT,
    source      TEXT NOT NULL,              -- 'centre', or the gateway that told
    at          TEXT NOT NULL,
    received_ms BIGINT NOT NULL
);
CREATE INDEX alarm_events_alarm ON alarm_events (alarm, variant);

-- Which gateways told of an alarm, and therefore hear of its steps.
CREATE TABLE alarm_gateways (
    alarm   TEXT NOT NULL,
    gateway TEXT NOT NULL,
    PRIMARY KEY (alarm, gateway)
) WITHOUT ROWID;

-- Orders to gateways: per gateway and lane, of each subject only the newest is kept.
CREATE TABLE orders (
    gateway    TEXT NOT NULL,
    lane       TEXT NOT NULL,
    k          BIGINT NOT NULL,
    subject    TEXT NOT NULL,
    kind       TEXT NOT NULL,
    body       TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    PRIMARY KEY (gateway, lane, k)
) WITHOUT ROWID;
CREATE INDEX orders_subject ON orders (gateway, lane, subject);

CREATE TABLE order_numbers (
    gateway TEXT NOT NULL,
    lane    TEXT NOT NULL,
    k       BIGINT NOT NULL,
    PRIMARY KEY (gateway, lane)
) WITHOUT ROWID;

CREATE TABLE order_results (
    gateway     TEXT NOT NULL,
    order_key   TEXT NOT NULL,
    kind        TEXT NOT NULL,
    verdict     TEXT NOT NULL,
    reason      TEXT,
    received_ms BIGINT NOT NULL,
    PRIMARY KEY (gateway, order_key)
) WITHOUT ROWID;

-- People, their cards and devices. A person's reference is also that of the account.
CREATE TABLE people (
    ref        TEXT PRIMARY KEY,
    name       TEXT NOT NULL,
    address    TEXT NOT NULL,
    contacts   TEXT NOT NULL,
    conditions TEXT NOT NULL
);

CREATE TABLE cards (
    ref    TEXT PRIMARY KEY,
    serial TEXT NOT NULL UNIQUE,            -- personal; never leaves in an answer
    person TEXT REFERENCES people (ref)
);
CREATE INDEX cards_person ON cards (person);

CREATE TABLE devices (
    id             TEXT PRIMARY KEY,
    kind           TEXT NOT NULL,
    place          TEXT NOT NULL,
    person         TEXT REFERENCES people (ref),
    gateway        TEXT REFERENCES gateways (id),
    silent_after_s BIGINT NOT NULL,
    heartbeat_s    BIGINT NOT NULL,
    trouble        TEXT,
    trouble_ms     BIGINT
);

CREATE TABLE catalogues (
    version BIGINT PRIMARY KEY,
    body    TEXT NOT NULL,
    actor   TEXT NOT NULL,
    at_ms   BIGINT NOT NULL
);

CREATE TABLE policies (
    version BIGINT PRIMARY KEY,
    body    TEXT NOT NULL,
    actor   TEXT NOT NULL,
    at_ms   BIGINT NOT NULL
);

CREATE TABLE hotlist (
    card  TEXT PRIMARY KEY REFERENCES cards (ref),
    actor TEXT NOT NULL,
    at_ms BIGINT NOT NULL
);

-- The ledger: double entry, immutable. The sum of a transaction's postings is zero.
CREATE TABLE transactions (
    id      INTEGER PRIMARY KEY,
    kind    TEXT NOT NULL,                  -- grant | hold | post | void | purse | proof
    subject TEXT NOT NULL,                  -- what caused it: exactly once per kind
    actor   TEXT NOT NULL,
    day     TEXT NOT NULL,                  -- business day, Asia/Shanghai
    at_ms   BIGINT NOT NULL,
    UNIQUE (kind, subject)
);

CREATE INDEX transactions_day ON transactions (day);

CREATE TABLE postings (
    txn     BIGINT NOT NULL REFERENCES transactions (id),
    account TEXT NOT NULL,
    amount  BIGINT NOT NULL,
    PRIMARY KEY (txn, account)
) WITHOUT ROWID;
CREATE INDEX postings_account ON postings (account);

CREATE TRIGGER transactions_stay BEFORE UPDATE ON transactions BEGIN SELECT RAISE(ABORT, 'the ledger is immutable'); END;
CREATE TRIGGER transactions_keep BEFORE DELETE ON transactions BEGIN SELECT RAISE(ABORT, 'the ledger is immutable'); END;
CREATE TRIGGER postings_stay BEFORE UPDATE ON postings BEGIN SELECT RAISE(ABORT, 'the ledger is immutable'); END;
CREATE TRIGGER postings_keep BEFORE DELETE ON postings BEGIN SELECT RAISE(ABORT, 'the ledger is immutable'); END;

CREATE TABLE holds (
    origin  TEXT PRIMARY KEY,
    gateway TEXT NOT NULL,
    person  TEXT NOT NULL REFERENCES people (ref),
    card    TEXT NOT NULL REFERENCES cards (ref),
    amount  BIGINT NOT NULL,
    items   TEXT NOT NULL,
    state   TEXT NOT NULL,                  -- held | posted | voided
    at_ms   BIGINT NOT NULL
);
CREATE INDEX holds_person ON holds (person) WHERE state = 'held';

CREATE TABLE sales (
    origin      TEXT PRIMARY KEY,           -- of its sale.intent
    gateway     TEXT NOT NULL,
    sale        TEXT NOT NULL,
    tender      TEXT,                       -- NULL until the intent is here
    amount      BIGINT,
    items       TEXT,
    card        TEXT REFERENCES cards (ref),
    purse       TEXT,                       -- what terminal and card agreed on
    intended_at TEXT,
    outcome     TEXT,                       -- NULL until one is here
    reason      TEXT,
    proof       TEXT,                       -- what proves the debit
    verdict     TEXT,                       -- valid | invalid | pending, of a purse that paid
    settled     BIGINT NOT NULL,            -- 1: its effect on the ledger is made, or none is due
    received_ms BIGINT NOT NULL
);
CREATE INDEX sales_card ON sales (card);
CREATE INDEX sales_received ON sales (received_ms);
CREATE INDEX sales_pending ON sales (origin) WHERE verdict = 'pending';
CREATE INDEX sales_open ON sales (received_ms) WHERE settled = 0;

-- People at the centre who want a hold given back; the second one does it.
CREATE TABLE hold_releases (
    origin TEXT NOT NULL REFERENCES holds (origin),
    actor  TEXT NOT NULL,
    at_ms  BIGINT NOT NULL,
    PRIMARY KEY (origin, actor)
) WITHOUT ROWID;

-- Contradictions that a person has to look at.
CREATE TABLE doubts (
    id      INTEGER PRIMARY KEY,
    what    TEXT NOT NULL,
    subject TEXT NOT NULL,
    gateway TEXT NOT NULL,
    at_ms   BIGINT NOT NULL,
    UNIQUE (what, subject)
);
