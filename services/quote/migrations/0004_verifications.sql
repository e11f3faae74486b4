-- A quote that waits for papers or a person as a piece of work, and what its customer chose.

-- A bound quote may end too: its papers did not come (MP-13).
DO $$
DECLARE name text;
BEGIN
    SELECT conname INTO STRICT name FROM pg_constraint
    WHERE conrelid = 'quotes'::regclass AND contype = 'c'
        AND pg_get_constraintdef(oid) LIKE '%policy_id IS NOT NULL%';
    EXECUTE format('ALTER TABLE quotes DROP CONSTRAINT %I', name);
END $$;
ALTER TABLE quotes ADD CONSTRAINT bound_by_a_policy CHECK (
    state <> 'BOUND' OR policy_id IS NOT NULL),
    ADD CONSTRAINT a_policy_binds_or_the_quote_ended CHECK (
    policy_id IS NULL OR state IN ('BOUND', 'INVALID', 'DECLINED'));

CREATE TABLE verifications (
    quote_id text PRIMARY KEY REFERENCES quotes,
    tenant_id text NOT NULL,
    -- The quote's offer that waits; what is missing and what was confirmed stand in the quote.
    plan text NOT NULL,
    state text NOT NULL CHECK (state IN (
        'AWAITING_DOCUMENTS', 'UNDER_VERIFICATION', 'INFO_REQUIRED', 'VERIFIED', 'DECLINED',
        'INVALID')),
    needs_documents boolean NOT NULL,
    needs_review boolean NOT NULL,
    opened_at timestamptz NOT NULL,
    submitted_at timestamptz,
    -- The last instant in time for the staff, and the first one too late for the customer.
    due_at timestamptz,
    escalated_at timestamptz,
    lapses_at timestamptz,
    assigned_to text,
    -- The person who spoke last of papers, amount or goods.
    decided_by text,
    -- Of the referred goods, line by line.
    verdicts json,
    reviewed_at timestamptz,
    reviewed_by text,
    note text,
    CHECK (needs_documents OR needs_review),
    CHECK ((reviewed_at IS NULL) = (reviewed_by IS NULL)),
    CHECK ((reviewed_at IS NULL) = (verdicts IS NULL))
);
-- What is due first comes first; 2198 stands for no due time, in the queries too.
CREATE INDEX verifications_by_due ON verifications (
    tenant_id, (coalesce(due_at, timestamptz '2198-01-01T00:00:00Z')), opened_at, quote_id);
CREATE INDEX verifications_to_do ON verifications (
    tenant_id, (coalesce(due_at, timestamptz '2198-01-01T00:00:00Z')), opened_at, quote_id)
    WHERE state IN ('AWAITING_DOCUMENTS', 'UNDER_VERIFICATION', 'INFO_REQUIRED');
CALL tenant_table('verifications');

CREATE TABLE consents (
    consent_id text PRIMARY KEY,
    tenant_id text NOT NULL,
    quote_id text NOT NULL REFERENCES quotes,
    choice text NOT NULL CHECK (choice IN ('OPT_IN', 'OPT_OUT')),
    plan text NOT NULL,
    wording_id text NOT NULL,
    locale text NOT NULL,
    box_state text NOT NULL CHECK (
        box_state IN ('UNTICKED', 'TICKED_BY_CUSTOMER', 'PRE_TICKED', 'NONE')),
    channel text NOT NULL,
    given_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    recorded_by text NOT NULL,
    -- Nobody is opted in by a box that was ticked for them, nor by one they left empty.
    CHECK (choice = 'OPT_OUT' OR box_state IN ('TICKED_BY_CUSTOMER', 'NONE'))
);
CREATE INDEX consents_by_quote ON consents (tenant_id, quote_id, given_at, consent_id);
CALL tenant_table('consents');
CALL append_only('consents');
