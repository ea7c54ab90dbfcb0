-- Sales that a gateway left as unknown: asked about at each start, once the issuer's keys are here.
CREATE INDEX sales_unknown ON sales (origin) WHERE outcome = 'unknown';
