-- The prices of each catalogue by service, so that a sale is checked without reading whole catalogues. Of a service that
-- stands twice, the first counts.
CREATE TABLE catalogue_lines (
    version  BIGINT NOT NULL,
    service  TEXT NOT NULL,
    provider TEXT NOT NULL,
    price    BIGINT NOT NULL,
    PRIMARY KEY (version, service)
) WITHOUT ROWID;

INSERT INTO catalogue_lines (version, service, provider, price)
SELECT c.version, json_extract(s.value, '$.id'), json_extract(s.value, '$.provider'), json_extract(s.value, '$.price')
FROM catalogues c, json_each(c.body, '$.services') s
WHERE true ON CONFLICT (version, service) DO NOTHING;

-- The catalogue that set the prices of a sale, as its gateway says; NULL for sales that were here before.
ALTER TABLE sales ADD COLUMN catalogue BIGINT;
