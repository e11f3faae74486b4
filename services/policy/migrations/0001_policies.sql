-- Policies, what was paid for them, and what carriers said of their parcels.

CREATE TABLE policies (
    policy_id text PRIMARY KEY,
    tenant_id text NOT NULL,
    quote_id text NOT NULL,
    plan text NOT NULL,
    plan_version integer NOT NULL,
    plan_sha256 text NOT NULL,
    state text NOT NULL CHECK (state IN (
        'PENDING', 'SCHEDULED', 'ACTIVE', 'RUN_OFF', 'EXPIRED', 'CANCELLED', 'INVALID', 'VOID')),
    -- What went back to the payer when it was cancelled or lapsed.
    refund_minor bigint NOT NULL DEFAULT 0 CHECK (refund_minor BETWEEN 0 AND premium_paid_minor),
    -- Every fact known at purchase, as the quote had it.
    terms jsonb NOT NULL,
    currency text NOT NULL,
    premium_minor bigint NOT NULL CHECK (premium_minor >= 0),
    premium_paid_minor bigint NOT NULL CHECK (premium_paid_minor >= 0),
    bound_at timestamptz NOT NULL,
    last_paid_at timestamptz,
    paid_at timestamptz,
    confirmed_at timestamptz,
    top_up_lapses_at timestamptz,
    cover_start timestamptz,
    carrier text NOT NULL,
    tracking_number text NOT NULL,
    tracking jsonb NOT NULL,
    -- Personal data: where the customer is told things. Erasing it touches nothing else.
    contact_email text,
    contact_locale text NOT NULL,
    UNIQUE (tenant_id, quote_id),
    CHECK (paid_at IS NULL OR premium_paid_minor >= premium_minor)
);
CREATE INDEX policies_by_parcel ON policies (tenant_id, carrier, tracking_number)
    WHERE tracking_number <> '';
CREATE INDEX policies_by_number ON policies (tenant_id, tracking_number)
    WHERE tracking_number <> '';
CREATE INDEX policies_by_order ON policies (tenant_id, (terms ->> 'order_ref'));
CALL tenant_table('policies');

CREATE TABLE payments (
    payment_id text PRIMARY KEY,
    tenant_id text NOT NULL,
    policy_id text NOT NULL REFERENCES policies,
    -- The payer's own reference: the same payment reported twice is one.
    reference text NOT NULL,
    amount_minor bigint NOT NULL CHECK (amount_minor > 0),
    currency text NOT NULL,
    received_at timestamptz NOT NULL,
    UNIQUE (tenant_id, policy_id, reference)
);
CALL tenant_table('payments');
CALL append_only('payments');

CREATE TABLE scans (
    tenant_id text NOT NULL,
    policy_id text NOT NULL REFERENCES policies,
    scan_id text NOT NULL,
    status text NOT NULL,
    reason text NOT NULL,
    occurred_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    location text NOT NULL,
    description text NOT NULL,
    PRIMARY KEY (policy_id, scan_id)
);
CALL tenant_table('scans');
CALL append_only('scans');
