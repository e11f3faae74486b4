-- Payments as facts, what goes back of them, and providers' signed notices.

-- The first instant too late to complete the premium, of a top-up or of a price.
ALTER TABLE policies RENAME COLUMN top_up_lapses_at TO lapses_at;
ALTER TABLE policies
    ADD COLUMN consent_id text NOT NULL DEFAULT '',
    -- Not only what a cancellation gives back: refunds may come from several payments.
    DROP CONSTRAINT policies_check,
    ADD CONSTRAINT refund_of_what_was_paid CHECK (refund_minor >= 0),
    -- Of a policy that has ended a provider may still take back what completed its premium.
    DROP CONSTRAINT policies_check1,
    ADD CONSTRAINT paid_in_full CHECK (
        paid_at IS NULL OR premium_paid_minor >= premium_minor
        OR state IN ('CANCELLED', 'INVALID', 'VOID', 'EXPIRED'));
CREATE INDEX policies_by_age ON policies (tenant_id, bound_at, policy_id);

ALTER TABLE payments
    -- How much of it the policy took, and why the rest goes back.
    ADD COLUMN applied_minor bigint,
    ADD COLUMN standing text NOT NULL DEFAULT 'APPLIED',
    -- Who reported it: `shop`, or the hook of a payment provider.
    ADD COLUMN channel text NOT NULL DEFAULT 'shop',
    ADD COLUMN paid_at timestamptz;
ALTER TABLE payments DISABLE TRIGGER append_only;
UPDATE payments SET applied_minor = amount_minor, paid_at = received_at;
ALTER TABLE payments ENABLE TRIGGER append_only;
ALTER TABLE payments
    ALTER COLUMN applied_minor SET NOT NULL,
    ALTER COLUMN paid_at SET NOT NULL,
    ADD CONSTRAINT applied_of_amount CHECK (applied_minor BETWEEN 0 AND amount_minor);
CREATE INDEX payments_by_reference ON payments (tenant_id, reference);

-- What is owed back to a payer. `settled_minor` has left our hands.
CREATE TABLE refunds (
    refund_id text PRIMARY KEY,
    tenant_id text NOT NULL,
    policy_id text NOT NULL REFERENCES policies,
    reason text NOT NULL,
    -- The payment it gives back, where it is one payment's.
    payment_id text,
    amount_minor bigint NOT NULL CHECK (amount_minor > 0),
    settled_minor bigint NOT NULL DEFAULT 0 CHECK (settled_minor BETWEEN 0 AND amount_minor),
    currency text NOT NULL,
    state text NOT NULL CHECK (state IN ('DUE', 'FAILED', 'SETTLED')),
    requested_at timestamptz NOT NULL,
    settled_at timestamptz,
    reference text NOT NULL DEFAULT '',
    failure text NOT NULL DEFAULT '',
    CHECK ((state = 'SETTLED') = (settled_minor = amount_minor)),
    CHECK ((state = 'SETTLED') = (settled_at IS NOT NULL))
);
CREATE INDEX refunds_by_policy ON refunds (tenant_id, policy_id);
CREATE INDEX refunds_by_age ON refunds (tenant_id, requested_at, refund_id);
CALL tenant_table('refunds');

-- Where a payment provider posts to, and the sealed secrets that its signatures are checked with.
CREATE TABLE payment_hooks (
    hook_id text PRIMARY KEY,
    tenant_id text NOT NULL,
    provider text NOT NULL,
    sealed_secret bytea NOT NULL,
    -- The one before, good until then: a rotation must not lose what is on its way.
    sealed_former bytea,
    former_until timestamptz,
    created_at timestamptz NOT NULL,
    CHECK ((sealed_former IS NULL) = (former_until IS NULL))
);
CREATE INDEX payment_hooks_by_age ON payment_hooks (tenant_id, created_at, hook_id);
CALL tenant_table('payment_hooks');

-- What providers said, as it came; its meaning may have to wait for another of them.
CREATE TABLE payment_notices (
    notice_id text PRIMARY KEY,
    tenant_id text NOT NULL,
    hook_id text NOT NULL REFERENCES payment_hooks,
    -- The provider's own id: the same one again is a repeat.
    provider_event_id text NOT NULL,
    kind text NOT NULL,
    policy_id text NOT NULL,
    reference text NOT NULL,
    amount_minor bigint,
    currency text,
    occurred_at timestamptz,
    body bytea NOT NULL,
    body_sha256 bytea NOT NULL,
    received_at timestamptz NOT NULL,
    state text NOT NULL CHECK (state IN ('APPLIED', 'WAITING', 'UNMATCHED', 'IGNORED')),
    detail text NOT NULL DEFAULT '',
    UNIQUE (hook_id, provider_event_id)
);
CREATE INDEX payment_notices_waiting ON payment_notices (tenant_id, reference)
    WHERE state = 'WAITING';
CREATE INDEX payment_notices_by_age ON payment_notices (tenant_id, received_at, notice_id);
CALL tenant_table('payment_notices');

-- Disputes of payments: what a provider holds back until it is decided.
CREATE TABLE disputes (
    dispute_id text PRIMARY KEY,
    tenant_id text NOT NULL,
    payment_id text NOT NULL REFERENCES payments,
    policy_id text NOT NULL REFERENCES policies,
    amount_minor bigint NOT NULL CHECK (amount_minor > 0),
    currency text NOT NULL,
    state text NOT NULL CHECK (state IN ('OPEN', 'WON', 'LOST')),
    opened_at timestamptz NOT NULL,
    closed_at timestamptz,
    CHECK ((state = 'OPEN') = (closed_at IS NULL))
);
CREATE UNIQUE INDEX disputes_one_open ON disputes (payment_id) WHERE state = 'OPEN';
CREATE INDEX disputes_by_policy ON disputes (tenant_id, policy_id);
CALL tenant_table('disputes');
