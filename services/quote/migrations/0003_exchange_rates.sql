-- Daily rates of exchange, as a tenant enters them; and by what quotes are found.

-- A correction is a row of its own: what a quote was made with stays to be seen.
CREATE TABLE exchange_rates (
    tenant_id text NOT NULL,
    -- USD for one unit of it.
    currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$' AND currency <> 'USD'),
    day date NOT NULL,
    version integer NOT NULL CHECK (version > 0),
    rate numeric NOT NULL CHECK (rate > 0 AND rate < 1000),
    entered_at timestamptz NOT NULL,
    entered_by text NOT NULL,
    PRIMARY KEY (tenant_id, currency, day, version)
);
CREATE INDEX exchange_rates_by_day ON exchange_rates (tenant_id, day, currency, version);
CALL tenant_table('exchange_rates');
CALL append_only('exchange_rates');

-- The plans that were asked, which the answer has too, but within.
ALTER TABLE quotes ADD COLUMN plans text[] NOT NULL DEFAULT '{}';
UPDATE quotes SET plans = ARRAY(
    SELECT offer ->> 'plan' FROM json_array_elements(answer -> 'offers') AS offer);
-- Of a plan there is no index: a tenant sells a handful, and its quotes are walked by age.
CREATE INDEX quotes_by_order ON quotes (tenant_id, order_ref, created_at, quote_id);
