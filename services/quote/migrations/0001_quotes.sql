-- Quotes: one row each, which also remembers the request it answered.

CREATE TABLE quotes (
    quote_id text PRIMARY KEY,
    tenant_id text NOT NULL,
    state text NOT NULL CHECK (state IN (
        'DRAFT', 'UNDER_VERIFICATION', 'INFO_REQUIRED', 'PRICED', 'DECLINED', 'INVALID', 'BOUND')),
    created_at timestamptz NOT NULL,
    -- EXPIRED is what a quote is shown as after this instant; it is never stored.
    valid_until timestamptz NOT NULL CHECK (valid_until > created_at),
    order_ref text NOT NULL,
    -- json, not jsonb: what was asked and answered is kept to the letter, and costs less to write.
    request json NOT NULL,
    answer json NOT NULL,
    idempotency_key text,
    body_sha256 bytea,
    policy_id text,
    CHECK ((idempotency_key IS NULL) = (body_sha256 IS NULL)),
    CHECK ((state = 'BOUND') = (policy_id IS NOT NULL))
);
CREATE UNIQUE INDEX quotes_by_key ON quotes (tenant_id, idempotency_key)
    WHERE idempotency_key IS NOT NULL;
CREATE INDEX quotes_by_age ON quotes (tenant_id, created_at, quote_id);
CALL tenant_table('quotes');
