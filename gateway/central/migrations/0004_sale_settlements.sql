-- People who say what became of a sale that its gateway left as unknown; two of them have to say the same.
CREATE TABLE sale_settlements (
    origin  TEXT NOT NULL REFERENCES sales (origin),
    actor   TEXT NOT NULL,
    outcome TEXT NOT NULL,                  -- paid | cancelled
    at_ms   BIGINT NOT NULL,
    PRIMARY KEY (origin, actor)
) WITHOUT ROWID;
