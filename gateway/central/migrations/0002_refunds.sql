-- Services of a sale that were given back, once by their key. What is left of a line is its quantity without these.
CREATE TABLE refunds (
    key    TEXT PRIMARY KEY,
    sale   TEXT NOT NULL,                   -- origin of the sale's intent
    card   TEXT NOT NULL REFERENCES cards (ref),
    items  TEXT NOT NULL,
    amount BIGINT NOT NULL,
    actor  TEXT NOT NULL,
    at_ms  BIGINT NOT NULL
);
CREATE INDEX refunds_sale ON refunds (sale);
