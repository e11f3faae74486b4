-- Time and requests of claims: when the file was complete, what the claimant is asked for, and every
-- day that was promised.

SET LOCAL lock_timeout = '5s';

ALTER TABLE claims
    -- The first instant nothing was missing; later requests never move it.
    ADD COLUMN complete_at timestamptz,
    -- Complete as it was filed, by a customer without another claim in the year before (BM-26).
    ADD COLUMN is_clean boolean NOT NULL DEFAULT false,
    ADD COLUMN is_priority boolean NOT NULL DEFAULT false,
    -- Since and until when the decision clock stood still (G-08); the last may still last.
    ADD COLUMN pauses jsonb NOT NULL DEFAULT '[]',
    -- When a promised day first passed; it stays.
    ADD COLUMN escalated_at timestamptz;
CREATE INDEX covers_by_customer ON covers (tenant_id, (terms ->> 'customer_id'))
    WHERE terms ->> 'customer_id' <> '';

CREATE TABLE information_requests (
    request_id text PRIMARY KEY,
    tenant_id text NOT NULL,
    claim_id text NOT NULL REFERENCES claims,
    -- Labels as decisions have them: `a|b+c`.
    missing text[] NOT NULL,
    -- Of these: what a person asked for beyond the plan, and has not come yet.
    outstanding text[] NOT NULL,
    message text NOT NULL,
    replies text[] NOT NULL,
    asked_by text NOT NULL,
    asked_at timestamptz NOT NULL,
    info_until date,
    grace_until date,
    lapses_at timestamptz,
    reminded_at timestamptz,
    answered_at timestamptz,
    lapsed_at timestamptz,
    CHECK (answered_at IS NULL OR lapsed_at IS NULL)
);
CREATE UNIQUE INDEX one_open_request_a_claim ON information_requests (claim_id)
    WHERE answered_at IS NULL AND lapsed_at IS NULL;
CREATE INDEX requests_by_claim ON information_requests (tenant_id, claim_id);
CALL tenant_table('information_requests');

CREATE TABLE claim_clocks (
    claim_id text NOT NULL REFERENCES claims,
    tenant_id text NOT NULL,
    name text NOT NULL CHECK (name IN ('DECIDE', 'PAY', 'ADVANCE', 'CARRIER_REPLY')),
    category text NOT NULL,
    -- What ends it: the decision, the payout's confirmation, the advance or the paper.
    runs_until text NOT NULL,
    started_at timestamptz NOT NULL,
    -- Last local days, and the first instants too late; none while it stands still.
    target_on date,
    due_on date,
    target_at timestamptz,
    breach_at timestamptz,
    state text NOT NULL CHECK (state IN ('RUNNING', 'PAUSED', 'STOPPED')),
    target_missed_at timestamptz,
    breached_at timestamptz,
    stopped_at timestamptz,
    PRIMARY KEY (claim_id, name),
    CHECK ((state = 'STOPPED') = (stopped_at IS NOT NULL))
);
CREATE INDEX overdue_clocks ON claim_clocks (tenant_id, claim_id)
    WHERE state = 'RUNNING' AND breached_at IS NOT NULL;
CALL tenant_table('claim_clocks');
