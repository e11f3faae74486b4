-- Claims' own copy of policies, the claims on them, every decision ever made, and the money.

CREATE TABLE covers (
    policy_id text PRIMARY KEY,
    tenant_id text NOT NULL,
    plan text NOT NULL,
    plan_version integer NOT NULL,
    plan_sha256 text NOT NULL,
    state text NOT NULL,
    terms jsonb NOT NULL,
    tracking jsonb NOT NULL DEFAULT '{}',
    paid_at timestamptz,
    confirmed_at timestamptz,
    carrier text NOT NULL DEFAULT '',
    tracking_number text NOT NULL DEFAULT '',
    order_ref text NOT NULL,
    -- The policy service's count of the policy's events, up to which this copy goes.
    sequence bigint NOT NULL
);
CREATE INDEX covers_by_parcel ON covers (tenant_id, tracking_number) WHERE tracking_number <> '';
CREATE INDEX covers_by_order ON covers (tenant_id, order_ref) WHERE order_ref <> '';
CALL tenant_table('covers');

CREATE TABLE claims (
    claim_id text PRIMARY KEY,
    tenant_id text NOT NULL,
    -- NULL: the parcel is not insured; the attempt is recorded and answered (G-14).
    policy_id text REFERENCES covers,
    peril text NOT NULL,
    state text NOT NULL CHECK (state IN (
        'SUBMITTED', 'DEFERRED', 'INFO_REQUIRED', 'ON_HOLD', 'REFERRED', 'APPROVED', 'DENIED',
        'PAYING', 'PAID', 'WITHDRAWN', 'CLOSED')),
    statement jsonb NOT NULL,
    findings jsonb NOT NULL DEFAULT '{}',
    notified_at timestamptz NOT NULL,
    filed_at timestamptz NOT NULL,
    filed_by text NOT NULL,
    info_requested_at timestamptz
);
CREATE INDEX claims_by_policy ON claims (tenant_id, policy_id);
CALL tenant_table('claims');

CREATE TABLE decisions (
    decision_id text PRIMARY KEY,
    tenant_id text NOT NULL,
    claim_id text NOT NULL REFERENCES claims,
    number integer NOT NULL,
    outcome text NOT NULL,
    is_settled boolean NOT NULL,
    payout_minor bigint NOT NULL CHECK (payout_minor >= 0),
    currency text NOT NULL,
    -- Parts of the payout: what later claims on the policy count as paid.
    parts jsonb NOT NULL,
    -- The whole decision, and the facts it was made from: it can be made again and compared.
    decision jsonb NOT NULL,
    facts jsonb NOT NULL,
    policy_sequence bigint NOT NULL,
    plan text NOT NULL,
    plan_version integer NOT NULL,
    plan_sha256 text NOT NULL,
    decided_by text NOT NULL,
    decided_at timestamptz NOT NULL,
    UNIQUE (claim_id, number)
);
CALL tenant_table('decisions');
CALL append_only('decisions');

CREATE TABLE payouts (
    payout_id text PRIMARY KEY,
    tenant_id text NOT NULL,
    claim_id text NOT NULL REFERENCES claims,
    decision_id text NOT NULL REFERENCES decisions,
    kind text NOT NULL CHECK (kind IN ('PAYOUT', 'ADVANCE')),
    amount_minor bigint NOT NULL CHECK (amount_minor > 0),
    currency text NOT NULL,
    instrument text NOT NULL,
    state text NOT NULL CHECK (state IN ('CREATED', 'SENT', 'CONFIRMED', 'FAILED', 'VOID')),
    reference text,
    created_at timestamptz NOT NULL,
    sent_at timestamptz,
    settled_at timestamptz,
    -- One payout a decision, whatever is repeated or late.
    UNIQUE (decision_id, kind)
);
CREATE UNIQUE INDEX one_advance_a_claim ON payouts (claim_id) WHERE kind = 'ADVANCE';
CREATE INDEX payouts_by_claim ON payouts (tenant_id, claim_id);
CALL tenant_table('payouts');

CREATE TABLE evidence (
    evidence_id text PRIMARY KEY,
    tenant_id text NOT NULL,
    policy_id text NOT NULL,
    kind text NOT NULL,
    name text NOT NULL,
    sha256 text NOT NULL,
    size_bytes bigint NOT NULL CHECK (size_bytes > 0),
    media_type text NOT NULL,
    submitted_by text NOT NULL CHECK (submitted_by IN ('claimant', 'provider', 'platform')),
    uploaded_at timestamptz NOT NULL,
    -- NULL until a claim takes it.
    claim_id text REFERENCES claims
);
CREATE INDEX evidence_by_claim ON evidence (tenant_id, claim_id);
CALL tenant_table('evidence');

CREATE TABLE recoveries (
    recovery_id text PRIMARY KEY,
    tenant_id text NOT NULL,
    claim_id text NOT NULL REFERENCES claims,
    source text NOT NULL CHECK (source IN ('carrier', 'insurer')),
    -- The sender's own: the same money told twice is one.
    reference text NOT NULL,
    amount_minor bigint NOT NULL CHECK (amount_minor >= 0),
    currency text NOT NULL,
    is_fraud boolean NOT NULL,
    recorded_at timestamptz NOT NULL,
    UNIQUE (tenant_id, claim_id, source, reference)
);
CREATE UNIQUE INDEX one_insurers_answer_a_claim ON recoveries (claim_id) WHERE source = 'insurer';
CALL tenant_table('recoveries');
CALL append_only('recoveries');
