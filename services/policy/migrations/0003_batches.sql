-- Many parcels in one file: each row's text until it is worked, and its answer for good.

CREATE TABLE batches (
    batch_id text PRIMARY KEY,
    tenant_id text NOT NULL,
    name text NOT NULL,
    form text NOT NULL CHECK (form IN ('csv', 'ndjson')),
    uploaded_by text NOT NULL,
    state text NOT NULL CHECK (state IN ('RUNNING', 'DONE', 'CANCELLED')),
    rows integer NOT NULL CHECK (rows > 0),
    -- Those of `refused` that could not be read when they came.
    unreadable integer NOT NULL,
    booked integer NOT NULL DEFAULT 0,
    repeated integer NOT NULL DEFAULT 0,
    refused integer NOT NULL DEFAULT 0,
    -- Minor units by currency, of the rows booked.
    premium jsonb NOT NULL DEFAULT '{}',
    paid jsonb NOT NULL DEFAULT '{}',
    -- The last line that is worked: a crash goes on behind it.
    worked_to integer NOT NULL DEFAULT 0,
    -- Real time, whatever a test clock shows.
    started_at timestamptz NOT NULL,
    worked_at timestamptz,
    finished_at timestamptz,
    CHECK (booked + repeated + refused <= rows),
    CHECK ((state = 'RUNNING') = (finished_at IS NULL))
);
CREATE INDEX batches_by_age ON batches (tenant_id, started_at, batch_id);
CALL tenant_table('batches');

CREATE TABLE batch_rows (
    tenant_id text NOT NULL,
    batch_id text NOT NULL REFERENCES batches,
    line integer NOT NULL,
    reference text NOT NULL,
    -- What the row asks. Personal data: gone once the row is worked.
    asked text,
    result text NOT NULL CHECK (result IN ('waiting', 'booked', 'repeated', 'refused', 'cancelled')),
    policy_id text NOT NULL DEFAULT '',
    quote_id text NOT NULL DEFAULT '',
    premium_minor bigint,
    currency text,
    state text NOT NULL DEFAULT '',
    problem text,
    PRIMARY KEY (batch_id, line),
    CHECK ((asked IS NOT NULL) = (result = 'waiting')),
    CHECK ((problem IS NOT NULL) = (result = 'refused'))
);
CALL tenant_table('batch_rows');

-- What a seller's own reference of a parcel was booked as: once, in whichever batch.
CREATE TABLE batch_bookings (
    tenant_id text NOT NULL,
    reference text NOT NULL,
    policy_id text NOT NULL REFERENCES policies,
    batch_id text NOT NULL REFERENCES batches,
    line integer NOT NULL,
    PRIMARY KEY (tenant_id, reference)
);
CALL tenant_table('batch_bookings');
CALL append_only('batch_bookings');
