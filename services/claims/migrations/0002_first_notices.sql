-- First notices: what a parcel's way suggests, waiting for the claimant, who files it.

ALTER TABLE claims
    DROP CONSTRAINT claims_state_check,
    ADD CONSTRAINT claims_state_check CHECK (state IN (
        'NOTIFIED', 'SUBMITTED', 'DEFERRED', 'INFO_REQUIRED', 'ON_HOLD', 'REFERRED', 'APPROVED',
        'DENIED', 'PAYING', 'PAID', 'WITHDRAWN', 'CLOSED')),
    ALTER COLUMN filed_at DROP NOT NULL,
    -- What suggested it; NULL for a claim that began with its claimant.
    ADD COLUMN cause text CHECK (cause IN (
        'lost', 'destroyed', 'damaged', 'seized', 'returned', 'silence')),
    -- Only a notice is not filed: it waits, or it is over.
    ADD CONSTRAINT filed_or_noticed CHECK (
        CASE WHEN filed_at IS NULL THEN cause IS NOT NULL AND state IN ('NOTIFIED', 'CLOSED')
        ELSE state <> 'NOTIFIED' END);
CREATE UNIQUE INDEX one_waiting_notice ON claims (policy_id, peril) WHERE state = 'NOTIFIED';
CREATE INDEX claims_by_age ON claims (tenant_id, notified_at, claim_id);
