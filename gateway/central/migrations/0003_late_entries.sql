-- The private record of an entry on the other branch of a fork: the entry is taken with it once a person approved the
-- branch, and its row here then goes.
ALTER TABLE forks ADD COLUMN salt TEXT;
ALTER TABLE forks ADD COLUMN private TEXT;
-- 1: an approval has passed it by, since the entry before it was not here.
ALTER TABLE forks ADD COLUMN passed BIGINT NOT NULL DEFAULT 0;
