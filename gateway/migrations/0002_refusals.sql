-- Schema 2: staff look back on the last refused reports, which are few among millions of entries.

CREATE INDEX entry_refused ON entry (n) WHERE kind = 'report.refused';
