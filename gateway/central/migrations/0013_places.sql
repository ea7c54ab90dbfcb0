-- Where a home or a gateway is, degrees; both or neither.
ALTER TABLE people ADD COLUMN lat DOUBLE;
ALTER TABLE people ADD COLUMN lon DOUBLE;
ALTER TABLE gateways ADD COLUMN lat DOUBLE;
ALTER TABLE gateways ADD COLUMN lon DOUBLE;

-- What proves a sale is found by what it is about.
CREATE INDEX entries_outcome ON entries (about) WHERE kind = 'sale.outcome';
CREATE INDEX devices_person ON devices (person);
