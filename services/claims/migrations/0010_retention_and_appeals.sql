-- Files that are forgotten some years after their claim has ended (Q47), what they were staying known;
-- and reasons that whoever hears an appeal would set aside, once a second person agrees (G-13).

ALTER TABLE claims
    -- The last time that nothing more could come of it; NULL while something may. Files are kept from it.
    ADD COLUMN ended_at timestamptz;
ALTER TABLE evidence
    -- When its bytes went. The name that somebody gave it goes with them.
    ADD COLUMN forgotten_at timestamptz CHECK (forgotten_at IS NULL OR name = '');

UPDATE claims c SET ended_at = coalesce(
        CASE WHEN state = 'CLOSED' THEN closed_at END,
        (SELECT withdrawn_at FROM withdrawals w WHERE w.claim_id = c.claim_id))
WHERE state IN ('CLOSED', 'WITHDRAWN');
-- The job knows how long the tenant keeps them.
INSERT INTO deadlines (tenant_id, kind, subject, due_at)
SELECT tenant_id, 'forget_claims_files', claim_id, ended_at FROM claims WHERE ended_at IS NOT NULL
ON CONFLICT DO NOTHING;

ALTER TABLE appeals
    -- What its decider would decide; NULL: nobody is asked to agree to anything.
    ADD COLUMN proposal jsonb,
    ADD CONSTRAINT proposed_while_open CHECK (proposal IS NULL OR state = 'OPEN');
ALTER TABLE approvals
    DROP CONSTRAINT approvals_about_check,
    ADD CONSTRAINT approvals_about_check CHECK (about IN ('decision', 'payout', 'appeal'));
