-- Appeals against decisions that stand (BM-27), and until when the next one may be filed.

CREATE TABLE appeals (
    appeal_id text PRIMARY KEY,
    tenant_id text NOT NULL,
    claim_id text NOT NULL REFERENCES claims,
    tier integer NOT NULL CHECK (tier > 0),
    -- Who decides it, by the plan.
    body text NOT NULL,
    grounds text NOT NULL,
    filed_by text NOT NULL,
    filed_at timestamptz NOT NULL,
    -- The last local days to file and to decide it.
    file_by date NOT NULL,
    decide_by date NOT NULL,
    is_final boolean NOT NULL,
    against text NOT NULL REFERENCES decisions,
    state text NOT NULL CHECK (state IN ('OPEN', 'UPHELD', 'VARIED')),
    -- What its decider established; the claim's own are changed only where it is VARIED.
    findings jsonb NOT NULL DEFAULT '{}',
    decided_by text,
    decided_at timestamptz,
    note text,
    -- The decision that took the place of the one appealed against.
    decision_id text REFERENCES decisions,
    -- Each tier is heard once.
    UNIQUE (claim_id, tier),
    CONSTRAINT decided_or_open CHECK (
        CASE WHEN state = 'OPEN' THEN num_nonnulls(decided_by, decided_at, note, decision_id) = 0
        ELSE num_nulls(decided_by, decided_at, note) = 0
            AND (decision_id IS NOT NULL) = (state = 'VARIED') END)
);
CREATE UNIQUE INDEX one_open_appeal ON appeals (claim_id) WHERE state = 'OPEN';
CALL tenant_table('appeals');

-- A decided claim has one, but while an appeal is open.
CREATE TABLE appeal_windows (
    claim_id text PRIMARY KEY REFERENCES claims,
    tenant_id text NOT NULL,
    -- The next tier and its body; NULL where none can be filed any more.
    tier integer,
    body text NOT NULL,
    file_by date,
    -- The first instant at which it is too late; the claim closes then, or once its money is settled.
    closes_at timestamptz NOT NULL
);
CALL tenant_table('appeal_windows');

-- Claims decided before this get their window from the job, which is due as of their decision.
INSERT INTO deadlines (tenant_id, kind, subject, due_at)
SELECT c.tenant_id, 'close_claim', c.claim_id, max(d.decided_at)
FROM claims c JOIN decisions d USING (claim_id, tenant_id)
WHERE c.state IN ('APPROVED', 'DENIED', 'PAYING', 'PAID') AND c.policy_id IS NOT NULL AND d.is_settled
GROUP BY c.tenant_id, c.claim_id
ON CONFLICT DO NOTHING;
