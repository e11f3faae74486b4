-- The rest of a claim's life (domain.md 2.7): appeals, recoveries, its close; payouts two people approve.

ALTER TABLE claims
    DROP CONSTRAINT claims_state_check,
    ADD CONSTRAINT claims_state_check CHECK (state IN (
        'NOTIFIED', 'SUBMITTED', 'DEFERRED', 'INFO_REQUIRED', 'ON_HOLD', 'REFERRED', 'APPROVED',
        'DENIED', 'PAYING', 'PAID', 'UNDER_APPEAL', 'RECOVERY', 'WITHDRAWN', 'CLOSED')),
    -- When nothing more could be asked of it: its last appeal window over, its money settled.
    ADD COLUMN closed_at timestamptz;

-- CREATED waits for a second person where the amount asks for one; APPROVED is to be sent.
ALTER TABLE payouts DROP CONSTRAINT payouts_state_check;
UPDATE payouts SET state = 'APPROVED' WHERE state = 'CREATED';
ALTER TABLE payouts ADD CONSTRAINT payouts_state_check CHECK (
    state IN ('CREATED', 'APPROVED', 'SENT', 'CONFIRMED', 'FAILED', 'VOID'));
