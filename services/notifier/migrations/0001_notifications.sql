-- What the notifier must know of a policy to write about it: its own copy, from PolicyPaid.
CREATE TABLE covers (
    tenant_id text NOT NULL,
    policy_id text NOT NULL,
    plan_sha256 text NOT NULL,
    insured_minor bigint NOT NULL CHECK (insured_minor >= 0),
    premium_minor bigint NOT NULL CHECK (premium_minor >= 0),
    currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    PRIMARY KEY (tenant_id, policy_id)
);
CALL tenant_table('covers');

-- What somebody is to be told, and what became of it.
CREATE TABLE notifications (
    notification_id text PRIMARY KEY,
    -- The order they were owed in.
    number bigint GENERATED ALWAYS AS IDENTITY,
    tenant_id text NOT NULL,
    template text NOT NULL,
    channel text NOT NULL CHECK (channel = 'mail'),
    recipient text NOT NULL CHECK (recipient = 'customer'),
    event_id text NOT NULL,
    -- What the event told of: a policy's, claim's, decision's or payout's id.
    occasion text NOT NULL,
    -- NULL for a claim that matches no policy.
    policy_id text,
    claim_id text,
    letter jsonb NOT NULL,
    caused_at timestamptz NOT NULL,
    state text NOT NULL CHECK (state IN ('PENDING', 'SENT', 'SKIPPED', 'FAILED')),
    attempts integer NOT NULL CHECK (attempts >= 0),
    -- Why it was skipped or failed, or why the last attempt did.
    cause text,
    sent_at timestamptz,
    -- Personal data, and the only column here that holds any: erasing a person sets it to NULL.
    address text,
    -- An event tells a recipient one thing once, and so does what it told of, whoever says it again.
    UNIQUE (tenant_id, event_id, recipient),
    UNIQUE (tenant_id, template, occasion, recipient),
    CHECK (policy_id IS NOT NULL OR claim_id IS NOT NULL),
    CHECK ((state = 'SENT') = (sent_at IS NOT NULL)),
    CHECK (address IS NULL OR state = 'SENT'),
    CHECK (cause IS NOT NULL OR state NOT IN ('SKIPPED', 'FAILED'))
);
CREATE INDEX notifications_by_number ON notifications (tenant_id, number);
CREATE INDEX notifications_by_policy ON notifications (tenant_id, policy_id, number);
CREATE INDEX notifications_by_claim ON notifications (tenant_id, claim_id, number);
CALL tenant_table('notifications');
